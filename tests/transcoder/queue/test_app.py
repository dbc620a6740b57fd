"""The queue's connections: one that was idle is checked before it is used, a busy one is not."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from transcoder.queue import app
from transcoder.queue.app import open_queue

pytestmark = pytest.mark.anyio

TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[App]:
    """Has one connection, which has been used."""
    queue = open_queue(database_url, pool_size=1)
    async with queue.open_async():
        await use(queue)
        yield queue


async def use(queue: App) -> None:
    await queue.job_manager.connector.execute_query_async("SELECT 1")


async def lose_connections(database_url: str) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(TERMINATE)


async def test_a_connection_that_was_lost_while_it_was_idle_is_replaced(
    queue: App, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "TRUSTED_FOR_SECONDS", 0.0)
    await lose_connections(database_url)
    await use(queue)


async def test_a_connection_that_is_lost_in_use_fails_once(
    queue: App, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "TRUSTED_FOR_SECONDS", 3600.0)
    await lose_connections(database_url)
    with pytest.raises(ConnectorException):
        await use(queue)
    await use(queue)


async def test_a_busy_connection_is_not_checked_before_every_statement(
    queue: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "TRUSTED_FOR_SECONDS", 3600.0)
    checked: list[Any] = []

    async def check(connection: Any) -> None:
        checked.append(connection)

    monkeypatch.setattr(AsyncConnectionPool, "check_connection", check)
    await use(queue)
    await use(queue)
    assert checked == []
