"""Batches on a real PostgreSQL: none skips an event, and no two project the same one."""

from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from psycopg import AsyncConnection

from domain.event_store.mapper import UnreadableEvent
from domain.event_store.publishing import Publishing
from projections.connection import connected, fetch_value
from projections.follow import batch
from projections.follow.batch import BATCH_EVENTS, Batch, project_batch, tracking_position
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from projections.log.reading import head_position, read_log
from tests.histories import create_post
from tests.projections.long_log import fill
from tests.projections.read_tables import write_all_kinds_of_posts
from tests.sql import Connections, append_poison

pytestmark = pytest.mark.anyio

PART_EVENTS = 240
BLOCKED = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"


@pytest.mark.parametrize("before", [120, 240, 360, 480])
async def test_a_batch_ends_right_before_an_unreadable_event_in_whatever_part_it_is(
    connections: Connections, database_url: str, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "PART_EVENTS", PART_EVENTS)
    fill(database_url, before)
    append_poison(database_url)
    fill(database_url, 2 * PART_EVENTS)
    async with connections.connection() as connection:
        done = await project_batch(connection, POSTS)
        assert (done.events, done.position) == (before, before)
        for _ in range(2):
            with pytest.raises(UnreadableEvent):
                await project_batch(connection, POSTS)
        assert await tracking_position(connection, POSTS) == before


async def test_a_follower_waits_for_the_batch_of_another_and_goes_on_after_it(
    publishing: Publishing, database_url: str
) -> None:
    write_all_kinds_of_posts(publishing)
    async with connected(database_url) as first, connected(database_url) as second:
        head = await head_position(first)
        async with anyio.create_task_group() as tasks, first.transaction():
            assert (await project_batch(first, POSTS)).position == head
            tasks.start_soon(_project_nothing, second, head)
            with anyio.fail_after(60):
                await _wait_until_blocked(first, second)


async def test_a_follower_keeps_the_others_waiting_until_its_rows_are_committed(
    publishing: Publishing, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all_kinds_of_posts(publishing)
    has_claimed, may_go_on = anyio.Event(), anyio.Event()

    async def read_slowly(connection: AsyncConnection[object], *asked: Any, **named: Any) -> Any:
        if connection is first:
            has_claimed.set()
            await may_go_on.wait()
        return await read_log(connection, *asked, **named)

    monkeypatch.setattr(batch, "read_log", read_slowly)
    async with (
        connected(database_url) as first,
        connected(database_url) as second,
        connected(database_url) as observer,
    ):
        head = await head_position(observer)
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(project_batch, first, POSTS)
                await has_claimed.wait()
                tasks.start_soon(_project_nothing, second, head)
                await _wait_until_blocked(observer, second)
                may_go_on.set()


async def _project_nothing(connection: AsyncConnection[object], head: int) -> None:
    done = await project_batch(connection, POSTS)
    assert (done.events, done.position) == (0, head)


async def _wait_until_blocked(
    observer: AsyncConnection[object], other: AsyncConnection[object]
) -> None:
    while not await fetch_value(observer, BLOCKED, [other.info.backend_pid]):
        await anyio.sleep(0.02)


@pytest.mark.parametrize("is_given", [True, False])
async def test_catching_up_takes_as_many_batches_as_the_backlog_needs(
    publishing: Publishing, connections: Connections, database_url: str, *, is_given: bool
) -> None:
    fill(database_url, BATCH_EVENTS + 1)
    publishing.execute(create_post())
    async with connections.connection() as connection:
        head = await head_position(connection)
        assert head > BATCH_EVENTS
        await catch_up(connections, POSTS, position=head if is_given else None)
        assert await tracking_position(connection, POSTS) == head


async def test_catching_up_does_not_chase_events_that_come_after_its_position(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = 0

    async def project(*_: object) -> Batch:
        nonlocal batches
        batches += 1
        await checkpoint()
        return Batch(events=1, position=7)

    monkeypatch.setattr("projections.follow.catch_up.project_until_refused", project)
    with anyio.fail_after(30):
        await catch_up(connections, POSTS, position=7)
    assert batches == 1
