"""Two projections on one log: each follows, stops, is verified and rebuilt on its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import LiteralString

import anyio
import pytest

from domain.event_store.publishing import Publishing
from projections.follow.backlogs import Backlogs
from projections.follow.batch import BATCH_EVENTS
from projections.follow.catch_up import catch_up
from projections.follow.failures import skip
from projections.follow.projection import POSTS, PROJECTIONS, USAGE, Projection
from projections.follow.runner import follow
from projections.follow.status import Status, statuses
from projections.rebuild.rebuild import rebuild
from projections.rebuild.verify import verify
from tests.histories import create_post
from tests.projections.long_log import fill
from tests.projections.read_tables import write_all_kinds_of_posts
from tests.sql import Connections, append_poison, run

pytestmark = pytest.mark.anyio


async def status_of(connections: Connections, projection: Projection) -> Status:
    async with connections.connection() as connection:
        [found] = await statuses(connection, [projection])
    return found


async def wait_for_position(
    connections: Connections, projection: Projection, position: int
) -> None:
    with anyio.fail_after(60):
        while (await status_of(connections, projection)).position < position:
            await anyio.sleep(0.05)


async def differences(connections: Connections, projection: Projection) -> int:
    async with connections.connection() as connection:
        return len((await verify(connection, projection)).differences)


@asynccontextmanager
async def following(url: str) -> AsyncIterator[None]:
    """Both, as a projector does it."""
    backlogs = Backlogs()
    async with anyio.create_task_group() as tasks:
        for projection in PROJECTIONS.values():
            tasks.start_soon(follow, url, projection, backlogs)
        yield
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("stopped", "other", "refuse"),
    [
        (USAGE, POSTS, "ALTER TABLE usage_posts ADD CHECK (file_size <> 77)"),
        (POSTS, USAGE, "ALTER TABLE upload_sessions ADD CHECK (file_size <> 77)"),
    ],
    ids=["usage stops", "posts stops"],
)
async def test_a_poisonous_event_stops_one_projection_and_not_the_other(
    publishing: Publishing,
    connections: Connections,
    database_url: str,
    stopped: Projection,
    other: Projection,
    refuse: LiteralString,
) -> None:
    await run(connections, refuse)
    publishing.execute(create_post())
    publishing.execute(create_post(file_size=77))
    publishing.execute(create_post())
    async with following(database_url):
        await wait_for_position(connections, other, 3)
        with anyio.fail_after(60):
            while not (found := await status_of(connections, stopped)).stopped_at:
                await anyio.sleep(0.05)
        assert (found.stopped_at, found.position) == (2, 1)
        assert (await status_of(connections, other)).stopped_at is None
        async with connections.connection() as connection:
            await skip(connection, stopped.name, 2, reason="a test", by="someone")
        await wait_for_position(connections, stopped, 3)
    assert (await status_of(connections, stopped)).skipped_events == 1
    assert (await status_of(connections, other)).skipped_events == 0
    for projection in (stopped, other):
        assert await differences(connections, projection) == 0


async def test_an_unreadable_event_stops_both_and_is_skipped_for_each_apart(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    append_poison(database_url)
    publishing.execute(create_post())
    async with following(database_url):
        for projection in PROJECTIONS.values():
            with anyio.fail_after(60):
                while (await status_of(connections, projection)).stopped_at != 1:
                    await anyio.sleep(0.05)
        async with connections.connection() as connection:
            await skip(connection, USAGE.name, 1, reason="a torn page", by="someone")
        await wait_for_position(connections, USAGE, 2)
        assert (await status_of(connections, POSTS)).stopped_at == 1
    assert await differences(connections, USAGE) == 0


@pytest.mark.parametrize(
    ("damage", "damaged", "other"),
    [
        ("UPDATE usage_posts SET file_size = file_size + 1", USAGE, POSTS),
        ("UPDATE usage_posts SET variant_sizes = '{}' WHERE variant_bytes > 0", USAGE, POSTS),
        ("UPDATE usage_posts SET uploaded_at = now()", USAGE, POSTS),
        ("DELETE FROM usage_posts WHERE status = 'deleted'", USAGE, POSTS),
        ("UPDATE posts SET caption = 'damaged'", POSTS, USAGE),
    ],
)
async def test_a_rebuild_of_one_under_load_repairs_it_and_leaves_the_other_alone(
    publishing: Publishing,
    connections: Connections,
    database_url: str,
    damage: LiteralString,
    damaged: Projection,
    other: Projection,
) -> None:
    write_all_kinds_of_posts(publishing)
    for projection in PROJECTIONS.values():
        await catch_up(connections, projection, position=None)
        assert await differences(connections, projection) == 0
    await run(connections, damage)
    assert await differences(connections, damaged) > 0
    assert await differences(connections, other) == 0
    tables = "SELECT sum(oid::bigint) FROM pg_class WHERE relname = ANY (%s) AND relkind = 'r'"
    names = [table.name for table in other.tables]
    async with connections.connection() as connection:
        before = await (await connection.execute(tables, [names])).fetchall()
    async with following(database_url):
        rebuilt = await rebuild(database_url, damaged, report=lambda *_: None, workers=2)
    assert {one.table for one in rebuilt.verification.tables} == {
        table.name for table in damaged.tables
    }
    async with connections.connection() as connection:
        assert await (await connection.execute(tables, [names])).fetchall() == before
    for projection in PROJECTIONS.values():
        assert await differences(connections, projection) == 0


async def test_both_are_rebuilt_at_the_same_time(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    write_all_kinds_of_posts(publishing)

    async def rebuild_one(projection: Projection) -> None:
        await rebuild(database_url, projection, report=lambda *_: None)

    async with following(database_url), anyio.create_task_group() as tasks:
        for projection in PROJECTIONS.values():
            tasks.start_soon(rebuild_one, projection)
    for projection in PROJECTIONS.values():
        await catch_up(connections, projection, position=None)
        assert await differences(connections, projection) == 0


async def test_usage_waits_while_posts_has_a_backlog(
    connections: Connections, database_url: str
) -> None:
    events = fill(database_url, 5 * BATCH_EVENTS)
    async with following(database_url):
        await wait_for_position(connections, POSTS, events)
        # One batch, begun before there was any sign of the other's backlog.
        assert (await status_of(connections, USAGE)).position <= 2 * BATCH_EVENTS
        await wait_for_position(connections, USAGE, events)
    assert await differences(connections, USAGE) == 0


async def test_a_projection_that_is_not_urgent_waits_only_for_those_that_are() -> None:
    backlogs = Backlogs()
    backlogs.note(USAGE, is_behind=True)
    with anyio.fail_after(1):
        await backlogs.wait_for_urgent(USAGE)
    backlogs.note(POSTS, is_behind=True)
    with anyio.fail_after(1):
        await backlogs.wait_for_urgent(POSTS)
    with anyio.move_on_after(0.05) as waited:
        await backlogs.wait_for_urgent(USAGE)
    assert waited.cancelled_caught
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(backlogs.wait_for_urgent, USAGE)
        await anyio.wait_all_tasks_blocked()
        backlogs.note(POSTS, is_behind=False)
