"""Connections of the read side: their limits, their rows, and others to the same database."""

import select
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, LiteralString, TypeAlias, TypeVar

from msgspec import Struct
from psycopg import AsyncConnection, sql
from psycopg.abc import Params
from psycopg.conninfo import make_conninfo
from psycopg.rows import class_row, scalar_row
from psycopg_pool import AsyncConnectionPool

from domain.database_url import limited

Row = TypeVar("Row")
Query: TypeAlias = LiteralString | sql.Composed

# A follower that stalls in the middle of a batch must not keep the others from following.
TRANSACTION_SECONDS: Final = 5
# The first statement of a transaction whose queries must all see the same moment.
ONE_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

_LIMIT_TRANSACTIONS: Final = """
SELECT set_config(name, %(limit)s, false) FROM pg_settings
WHERE name IN ('transaction_timeout', 'idle_in_transaction_session_timeout', 'lock_timeout')
"""

# A role or a database may have limits of their own, for other users of the server. `lock_timeout`
# stays: it keeps others from waiting for the one that waits.
LIFT_TIME_LIMITS: Final = """
SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN (
    'idle_in_transaction_session_timeout', 'idle_session_timeout', 'statement_timeout',
    'transaction_timeout'
)
"""


async def configure(connection: AsyncConnection[object]) -> None:
    """Limit the connection's transactions, and return times in UTC."""
    await limit_transactions(connection)
    await use_utc(connection)


async def limit_transactions(connection: AsyncConnection[object]) -> None:
    """End the connection's transactions and waits for locks after `TRANSACTION_SECONDS`."""
    await connection.execute(_LIMIT_TRANSACTIONS, {"limit": f"{TRANSACTION_SECONDS}s"})


def connection_options(*, is_pooled: bool) -> dict[str, Any]:
    """What `AsyncConnectionPool` takes as `kwargs`; a pooler may carry no prepared statements."""
    return {"autocommit": True, **({"prepare_threshold": None} if is_pooled else {})}


async def use_utc(connection: AsyncConnection[object]) -> None:
    """Return times in UTC, whatever the server's own time zone is.

    The one setting of a session that poolers keep for each client: they hear of its changes.
    """
    await connection.execute("SET TIME ZONE 'UTC'")


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[AsyncConnection[object]]:
    """A connection in autocommit, without time limits, whose times are in UTC.

    It is closed even where its task is cancelled.

    Raises:
        psycopg.OperationalError: the database did not answer within its `connect_timeout`.
    """
    connection = await AsyncConnection.connect(limited(url), autocommit=True)
    # Its own context manager rolls back first, where a cancelled task leaves it open.
    try:
        await use_utc(connection)
        await connection.execute(LIFT_TIME_LIMITS)
        yield connection
    finally:
        await connection.close()


async def fetch_all(
    connection: AsyncConnection[object],
    row: type[Row],
    query: Query,
    parameters: Params | None = None,
) -> list[Row]:
    """The rows of a query, each as a `row`; values travel in binary, which suits hashes and ids."""
    async with connection.cursor(row_factory=class_row(row), binary=True) as cursor:
        await cursor.execute(query, parameters)
        return await cursor.fetchall()


async def fetch_one(
    connection: AsyncConnection[object],
    row: type[Row],
    query: Query,
    parameters: Params | None = None,
) -> Row | None:
    """The first row of a query as a `row`; None if there is none."""
    rows = await fetch_all(connection, row, query, parameters)
    return rows[0] if rows else None


async def fetch_values(
    connection: AsyncConnection[object], query: Query, parameters: Params | None = None
) -> list[Any]:
    """The first column of a query's rows."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(query, parameters)
        return await cursor.fetchall()


async def fetch_value(
    connection: AsyncConnection[object], query: Query, parameters: Params | None = None
) -> Any:  # noqa: ANN401 - any SQL type
    """The first column of a query's first row; None if there is no row."""
    values = await fetch_values(connection, query, parameters)
    return values[0] if values else None


async def check_quickly(connection: AsyncConnection[Any]) -> None:
    """Check that a pooled connection works, without a round trip to the server each time.

    A server that is gone has closed its side of the socket, which can be seen from here; only then
    is it asked.

    Raises:
        psycopg.OperationalError: the connection is broken.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)


class Origin(Struct, frozen=True):
    """What another process needs to connect like a connection: libpq's options and the schemas."""

    conninfo: str
    search_path: str


async def origin_of(connection: AsyncConnection[object]) -> Origin:
    """The database that a connection leads to, and the schemas in which it finds its tables."""
    conninfo = make_conninfo(connection.info.dsn, password=connection.info.password)
    return Origin(conninfo, str(await fetch_value(connection, "SHOW search_path")))


@asynccontextmanager
async def connected_like(origin: Origin) -> AsyncGenerator[AsyncConnection[object]]:
    """Another connection to the same database and schemas, in autocommit."""
    async with connected(origin.conninfo) as connection:
        path = [origin.search_path]
        await connection.execute("SELECT set_config('search_path', %s, false)", path)
        yield connection
