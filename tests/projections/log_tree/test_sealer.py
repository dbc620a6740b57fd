"""The sealer: seals what is appended, and goes on after trouble."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import TaskGroup
from psycopg import AsyncConnection
from psycopg.rows import scalar_row

from domain.event_store.publishing import Publishing
from projections.log_tree import sealer
from projections.log_tree.sealer import keep_sealed
from tests.projections.log_tree.sealed_log import RESEAL, Connections, tamper, write_posts

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "SEAL_SECONDS", 0.05)


async def wait_for_leaves(connections: Connections, count: int) -> None:
    with anyio.fail_after(60):
        while await _leaves(connections) != count:
            await anyio.sleep(0.02)


async def _leaves(connections: Connections) -> int:
    async with (
        connections.connection() as connection,
        connection.cursor(row_factory=scalar_row) as cursor,
    ):
        await cursor.execute("SELECT count(*) FROM log_leaves")
        return int(await cursor.fetchone() or 0)


async def test_what_is_appended_is_sealed_soon(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_sealed, database_url)
        for posts in (1, 2):
            write_posts(publishing, 1)
            await wait_for_leaves(connections, 6 * posts)
        tasks.cancel_scope.cancel()


async def test_the_sealer_goes_on_after_its_session_was_ended_and_after_damage(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    async with anyio.create_task_group() as tasks:
        await _sealed_once(tasks, publishing, connections, database_url)
        async with connections.connection() as connection:
            await _end_other_sessions(connection)
        write_posts(publishing, 1)
        await wait_for_leaves(connections, 12)
        async with _nothing_being_sealed(connections):
            await tamper(connections, "DELETE FROM log_checkpoints")
        write_posts(publishing, 1)
        await anyio.sleep(0.2)
        assert await _leaves(connections) == 12
        await tamper(connections, *RESEAL)
        await wait_for_leaves(connections, 18)
        tasks.cancel_scope.cancel()


async def _sealed_once(
    tasks: TaskGroup, publishing: Publishing, connections: Connections, url: str
) -> None:
    tasks.start_soon(keep_sealed, url)
    write_posts(publishing, 1)
    await wait_for_leaves(connections, 6)


@asynccontextmanager
async def _nothing_being_sealed(connections: Connections) -> AsyncIterator[None]:
    async with connections.connection() as connection, connection.transaction():
        await connection.execute("SELECT FROM log_sealing FOR UPDATE")
        yield


async def _end_other_sessions(connection: AsyncConnection[object]) -> None:
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~ 'log_sealing'"
    )
