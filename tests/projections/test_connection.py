"""Connections of the read side: limits, time zone, and how soon a lost leader is missed."""

import anyio
import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from projections.connection import configure, connected
from projections.follow.leadership import name_session
from tests.sql import known_limits

pytestmark = pytest.mark.anyio


@pytest.fixture
def far_away(database_url: str) -> str:
    """A database whose own time zone is not UTC."""
    name = conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET timezone TO 'Asia/Tokyo'".encode())
    return database_url


async def shown(connection: AsyncConnection[object], name: str) -> str:
    row = await (await connection.execute(f"SHOW {name}".encode())).fetchone()
    assert isinstance(row, tuple)
    return str(row[0])


async def test_times_are_in_utc_whatever_the_servers_time_zone_is(far_away: str) -> None:
    async with connected(far_away) as connection:
        assert await shown(connection, "timezone") == "UTC"
    async with await AsyncConnection.connect(far_away, autocommit=True) as connection:
        assert await shown(connection, "timezone") == "Asia/Tokyo"
        await configure(connection)
        assert await shown(connection, "timezone") == "UTC"


async def test_a_transaction_of_the_read_side_holds_no_lock_for_long(database_url: str) -> None:
    async with connected(database_url) as connection:
        await configure(connection)
        limits = ("transaction_timeout", "idle_in_transaction_session_timeout", "lock_timeout")
        for name in known_limits(connection, limits):
            assert await shown(connection, name) == "5s"


async def test_the_server_misses_a_session_with_a_duty_within_three_seconds(
    database_url: str,
) -> None:
    async with connected(database_url) as connection:
        await name_session(connection, "projector")
        idle, interval, count = [
            int(await shown(connection, f"tcp_keepalives_{name}"))
            for name in ("idle", "interval", "count")
        ]
        assert idle + interval * count <= 3
        assert (await shown(connection, "application_name")).startswith("nova projector@")


async def test_a_connection_whose_task_is_cancelled_in_a_transaction_is_closed(
    database_url: str,
) -> None:
    opened = []
    with anyio.CancelScope() as scope:
        async with connected(database_url) as connection, connection.transaction():
            opened.append(connection)
            await connection.execute("SELECT 1")
            scope.cancel()
            await anyio.sleep_forever()
    assert [each.closed for each in opened] == [True]
