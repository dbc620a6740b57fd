"""Verification and rebuilds on a real PostgreSQL: what they find, and what they leave behind."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import scalar_row

from domain.event_store.publishing import Publishing
from projections.connection import fetch_values
from projections.follow.batch import tracking_position
from projections.follow.catch_up import catch_up
from projections.follow.failures import failure_of
from projections.follow.projection import POSTS
from projections.rebuild import verify as verification
from projections.rebuild.rebuild import rebuild
from projections.rebuild.verify import verify
from tests.histories import create_post, publishing_commands
from tests.projections.read_tables import write_all_kinds_of_posts
from tests.sql import Connections, run

pytestmark = pytest.mark.anyio

FIRST_ID, LAST_ID = UUID(int=0), UUID(int=2**128 - 1)
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname ~ 'rebuild'"
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname ~ 'rebuild'"
LEFT_BEHIND = "rebuild_posts_0123456789abcdef0123456789abcdef"


def quiet(phase: str, position: int, target: int) -> None:
    """Report nothing."""


async def schemas(connections: Connections) -> list[str]:
    """The schemas of rebuilds that are there now."""
    async with connections.connection() as connection:
        return await fetch_values(connection, SCHEMAS)


@pytest.mark.parametrize("post_id", [FIRST_ID, LAST_ID])
async def test_a_row_of_a_post_that_no_event_knows_is_found_wherever_it_sorts(
    publishing: Publishing, connections: Connections, post_id: UUID
) -> None:
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)
    async with connections.connection() as connection:
        await connection.execute("INSERT INTO post_metadata VALUES (%s)", [post_id])
        found = await verify(connection, POSTS)

    [difference] = found.differences
    assert (difference.table, difference.key) == ("post_metadata", str(post_id))
    assert (difference.expected, difference.found) == (None, [post_id])


async def test_what_is_projected_during_a_verification_makes_no_difference(
    publishing: Publishing, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)

    async def ask_and_go_on(connection: AsyncConnection[object], *asked: Any) -> int:
        position = await tracking_position(connection, *asked)
        for command in publishing_commands(uuid4()):
            publishing.execute(command)
        await catch_up(connections, POSTS, position=None)
        return position

    monkeypatch.setattr(verification, "tracking_position", ask_and_go_on)
    async with connections.connection() as connection:
        found = await verify(connection, POSTS)

    assert found.differences == []


async def test_a_rebuild_leaves_no_schema_behind_and_drops_what_another_one_left(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)
    async with connections.connection() as connection:
        await connection.execute(f"CREATE SCHEMA {LEFT_BEHIND}".encode())

    while_building: list[str] = []

    def look(phase: str, position: int, target: int) -> None:
        del position, target
        if phase == "build":
            with psycopg.connect(database_url, row_factory=scalar_row) as connection:
                while_building.extend(map(str, connection.execute(SCHEMAS).fetchall()))

    await rebuild(database_url, POSTS, report=look)

    assert while_building
    assert LEFT_BEHIND not in while_building
    assert await schemas(connections) == []


async def test_a_rebuild_that_is_refused_leaves_no_schema_behind(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    publishing.execute(create_post())

    class Refused(Exception):
        """Stands in for whatever ends a rebuild."""

    def refuse(phase: str, position: int, target: int) -> None:
        del position, target
        if phase == "verify":
            raise Refused

    with pytest.raises(Refused):
        await rebuild(database_url, POSTS, report=refuse)

    assert await schemas(connections) == []


async def test_rebuilt_tables_keep_their_checks_and_grants(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    write_all_kinds_of_posts(publishing)
    await run(connections, "GRANT SELECT ON posts TO pg_monitor")
    shape = """
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = 'posts'::regclass AND contype = 'c'
        UNION ALL SELECT 'grants', relacl::text FROM pg_class WHERE oid = 'posts'::regclass
        ORDER BY 1, 2
    """
    async with connections.connection() as connection:
        before = await (await connection.execute(shape)).fetchall()

    await rebuild(database_url, POSTS, report=quiet)

    async with connections.connection() as connection:
        assert await (await connection.execute(shape)).fetchall() == before
    assert "failed_posts_have_a_reason" in str(before)
    assert "pg_monitor" in str(before)


async def test_a_rebuild_makes_good_what_was_skipped_and_what_stopped_the_projection(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)
    await run(
        connections,
        "INSERT INTO projection_skips VALUES ('posts', 1, 'it was refused', 'a bug', 'operator')",
        "INSERT INTO projection_failures VALUES ('posts', 2, 'it was refused')",
    )

    await rebuild(database_url, POSTS, report=quiet)

    async with connections.connection() as connection:
        assert await failure_of(connection, "posts") is None
        assert (await verify(connection, POSTS, honour_skips=False)).differences == []
