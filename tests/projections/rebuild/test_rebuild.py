"""Rebuild and verify on a real PostgreSQL: nobody notices, and nothing is lost or left behind."""

from typing import Any, LiteralString
from uuid import uuid4

import anyio
import psycopg
import pytest
from anyio import to_thread
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.event_store.mapper import UnreadableEvent
from domain.event_store.publishing import Publishing
from projections.follow.catch_up import catch_up
from projections.follow.leadership import REBUILD_LOCK, try_to_lead
from projections.follow.projection import POSTS
from projections.follow.runner import follow
from projections.rebuild.rebuild import RebuildRunning, rebuild
from projections.rebuild.verify import Verification, verify
from tests.histories import create_post, publishing_commands
from tests.projections.read_tables import rows, write_all_kinds_of_posts
from tests.sql import run

pytestmark = pytest.mark.anyio

Connections = AsyncConnectionPool[AsyncConnection[object]]
SHAPE: LiteralString = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text IN
    ('posts', 'post_images', 'upload_sessions')
UNION ALL
SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
ORDER BY 1, 2, 3
"""


def quiet(phase: str, position: int, target: int) -> None:
    """Report nothing."""


async def ask(connections: Connections, query: LiteralString) -> list[Any]:
    async with connections.connection() as connection:
        return await (await connection.execute(query)).fetchall()


async def verified(connections: Connections) -> Verification:
    async with connections.connection() as connection:
        return await verify(connection, POSTS)


async def test_a_rebuild_gives_the_same_rows_names_and_counters(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)
    await run(connections, "UPDATE post_metadata SET like_count = 7")
    before, shape = await rows(connections), await ask(connections, SHAPE)
    events = await ask(connections, "SELECT count(*) FROM post_events")
    for _ in range(2):
        await rebuild(database_url, POSTS, report=quiet, batch_events=3)
        assert await rows(connections) == before
        assert await ask(connections, SHAPE) == shape
    assert await ask(connections, "SELECT count(*) FROM post_events") == events
    assert await ask(connections, "SELECT to_regnamespace('rebuild_posts')") == [(None,)]
    await ask(connections, "SELECT * FROM expired_uploads(now() + interval '9 years', 9)")
    publishing.execute(create_post())
    await catch_up(connections, POSTS, position=None)
    assert not (await verified(connections)).differences


async def test_a_rebuild_mends_what_was_damaged_and_verify_names_it(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)
    assert not (await verified(connections)).differences
    stranger = uuid4()
    await run(
        connections,
        "UPDATE posts SET caption = 'changed' WHERE status = 'pending'",
        "DELETE FROM post_images WHERE variant = 'medium'",
        "DELETE FROM post_metadata WHERE post_id = (SELECT id FROM posts WHERE status = 'failed')",
        "UPDATE upload_sessions SET status = 'closed' WHERE status = 'open'",
    )
    async with connections.connection() as connection:
        await connection.execute("INSERT INTO post_metadata VALUES (%s)", [stranger])
    found = {
        (one.table, one.expected is None, one.found is None)
        for one in (await verified(connections)).differences
    }
    assert found == {
        ("posts", False, False),
        ("post_images", False, True),
        ("post_metadata", False, True),
        ("post_metadata", True, False),
        ("upload_sessions", False, False),
    }
    await rebuild(database_url, POSTS, report=quiet)
    [left] = (await verified(connections)).differences
    assert left.key == str(stranger)


async def test_a_rebuild_under_writes_and_reads_loses_nothing(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, database_url, POSTS)
        tasks.start_soon(_read_for_ever, connections)
        tasks.start_soon(to_thread.run_sync, _write, publishing, 60)
        for _ in range(4):
            await rebuild(database_url, POSTS, report=quiet, batch_events=20)
        await catch_up(connections, POSTS, position=None)
        tasks.cancel_scope.cancel()
    await catch_up(connections, POSTS, position=None)
    assert not (await verified(connections)).differences


def _write(publishing: Publishing, posts: int) -> None:
    for _ in range(posts):
        for command in publishing_commands(uuid4()):
            publishing.execute(command)


async def _read_for_ever(connections: Connections) -> None:
    while True:
        await rows(connections)
        await anyio.sleep(0.005)


async def test_two_rebuilds_exclude_each_other(database_url: str) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as other:
        assert await try_to_lead(other, REBUILD_LOCK, "posts")
        with pytest.raises(RebuildRunning):
            await rebuild(database_url, POSTS, report=quiet)


async def test_a_rebuild_never_skips(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)
    before = await rows(connections)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO post_events (originator_id, originator_version, topic, state) "
            "VALUES (gen_random_uuid(), 1, 'post.created', '{}')"
        )
    with pytest.raises(UnreadableEvent):
        await rebuild(database_url, POSTS, report=quiet)
    assert await rows(connections) == before
