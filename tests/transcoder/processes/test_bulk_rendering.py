"""Bulk pictures in the pool: they use idle slots only, and give up when there are none."""

from functools import partial

import anyio
import pytest

from transcoder.errors import NoSlotFree
from transcoder.processes.pool import BulkRenderer, RenderPool
from transcoder.rendering import Limits

pytestmark = pytest.mark.anyio


async def test_bulk_pictures_start_when_no_live_one_waits_and_take_no_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[bytes] = []
    go_on = anyio.Event()

    async def render(_: RenderPool, content: bytes, *__: object, **___: object) -> None:
        begun.append(content)
        await go_on.wait()

    monkeypatch.setattr(RenderPool, "_render_once", render)
    pool = RenderPool(size=1, limits=Limits(), bulk_processes=1)
    bulk = BulkRenderer(pool)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(bulk.render, b"bulk", content_type="image/jpeg"))
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(partial(pool.render, b"live", content_type="image/jpeg"))
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(partial(bulk.render, b"more bulk", content_type="image/jpeg"))
        await anyio.wait_all_tasks_blocked()
        # The live one did not wait for the bulk one; the next bulk one waits for both.
        assert begun == [b"bulk", b"live"]
        go_on.set()
    assert begun == [b"bulk", b"live", b"more bulk"]


async def test_bulk_work_that_finds_no_room_for_long_goes_back_to_its_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("transcoder.processes.pool.BULK_WAITS_SECONDS", 0.1)
    # No slot is ever free.
    pool = RenderPool(size=0, limits=Limits(), bulk_processes=1)
    with pytest.raises(NoSlotFree):
        await BulkRenderer(pool).render(b"bulk", content_type="image/jpeg")
