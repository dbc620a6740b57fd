"""The guide to adding a projection is true: its code is a projection that works."""

import re
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import anyio
import psycopg
import pytest

from domain.event_store.publishing import Publishing
from projections import tables
from projections.follow import projection as projections
from projections.follow.catch_up import catch_up
from projections.follow.failures import skip
from projections.follow.projection import POSTS, Projection
from projections.follow.runner import follow
from projections.follow.status import Status, statuses
from projections.rebuild.rebuild import rebuild
from projections.rebuild.verify import Verification, verify
from tests.histories import (
    confirm_upload,
    create_post,
    delete_post,
    fail_post,
    retry_post,
)
from tests.sql import Connections, append_poison, run

pytestmark = pytest.mark.anyio

GUIDE = Path(__file__).parents[2] / "docs" / "adding-a-projection.md"
BLOCKS = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE))


@pytest.fixture
def third(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Projection:
    """The guide's projection, added as the guide says."""
    [migration] = [name for name in BLOCKS if name.endswith(".sql")]
    with psycopg.connect(database_url) as connection:
        connection.execute(BLOCKS[migration].encode())
    [table] = [name for name in BLOCKS if name.startswith("projections/tables/")]
    (tmp_path / Path(table).name).write_text(BLOCKS[table])
    monkeypatch.setattr(tables, "__path__", [*tables.__path__, str(tmp_path)])
    name = Path(table).stem
    known = {**vars(projections), name: import_module(f"projections.tables.{name}")}
    exec(BLOCKS["projections/follow/projection.py"], known)  # noqa: S102 - the guide is ours
    added: Projection = known["FAILURES"]
    assert known["PROJECTIONS"] == {**projections.PROJECTIONS, added.name: added}
    return added


async def verified(connections: Connections, projection: Projection) -> Verification:
    async with connections.connection() as connection:
        return await verify(connection, projection)


async def status_of(connections: Connections, projection: Projection) -> Status:
    async with connections.connection() as connection:
        [found] = await statuses(connection, [projection])
    return found


def write_failed_posts(publishing: Publishing, number: int) -> None:
    """As many that stay failed, one that is tried again, and one that is deleted."""
    for at in range(number + 2):
        post_id = uuid4()
        for command in (create_post(post_id), confirm_upload(post_id), fail_post(post_id)):
            publishing.execute(command)
        if at < 2:
            publishing.execute((retry_post, delete_post)[at](post_id))


async def test_the_third_projection_follows_is_verified_and_rebuilt(
    publishing: Publishing, connections: Connections, database_url: str, third: Projection
) -> None:
    write_failed_posts(publishing, 2)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, database_url, third)
        with anyio.fail_after(60):
            while (await status_of(connections, third)).lag_events:
                await anyio.sleep(0.05)
        found = await verified(connections, third)
        assert (found.tables[0].found_rows, found.differences) == (2, [])
        await run(connections, "UPDATE failed_posts SET code = 'damaged'")
        assert len((await verified(connections, third)).differences) == 2
        write_failed_posts(publishing, 1)
        rebuilt = await rebuild(database_url, third, report=lambda *_: None, workers=2)
        assert rebuilt.verification.tables[0].found_rows == 3
        tasks.cancel_scope.cancel()
    assert not (await verified(connections, third)).differences


async def test_the_third_projection_stops_and_goes_on_apart_from_the_others(
    publishing: Publishing, connections: Connections, database_url: str, third: Projection
) -> None:
    append_poison(database_url)
    write_failed_posts(publishing, 1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, database_url, third)
        with anyio.fail_after(60):
            while (await status_of(connections, third)).stopped_at != 1:
                await anyio.sleep(0.05)
            async with connections.connection() as connection:
                await skip(connection, third.name, 1, reason="a torn page", by="someone")
            while (await status_of(connections, third)).lag_events:
                await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
    assert (await verified(connections, third)).tables[0].found_rows == 1
    await catch_up(connections, POSTS, position=None)
    assert (await status_of(connections, POSTS)).position == 0
