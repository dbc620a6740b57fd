"""Connections of the read side: limits on their transactions, questions, and others like them."""

import select
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, LiteralString

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import scalar_row
from psycopg_pool import AsyncConnectionPool

# A follower that stalls in the middle of a batch must not keep the others from following.
TRANSACTION_SECONDS: Final = 5
CONNECT_TIMEOUT_SECONDS: Final = 10
# The first statement of a transaction whose questions are all about the same moment.
ONE_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

_LIMIT_TRANSACTIONS: Final = """
SELECT set_config(name, %(limit)s, false) FROM pg_settings
WHERE name IN ('transaction_timeout', 'idle_in_transaction_session_timeout', 'lock_timeout')
"""


async def configure(connection: AsyncConnection[object]) -> None:
    """Limit transactions, and answer with times in UTC whatever the server's own zone is."""
    await connection.execute(_LIMIT_TRANSACTIONS, {"limit": f"{TRANSACTION_SECONDS}s"})
    await connection.execute("SET TIME ZONE 'UTC'")


async def ask(connection: AsyncConnection[object], question: LiteralString) -> Any:  # noqa: ANN401 - any SQL type
    """The one value that a statement gives; None if it gives no row."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(question)
        return await cursor.fetchone()


async def check_quickly(connection: AsyncConnection[Any]) -> None:
    """Whether a connection from a pool still works, without asking the server each time.

    A server that has gone has closed its side, which can be seen from here; only then is it asked.

    Raises:
        psycopg.OperationalError: it does not.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)


class Origin(Struct, frozen=True):
    """What another process needs to connect as a connection is: libpq's words and the schemas."""

    conninfo: str
    search_path: str


async def origin_of(connection: AsyncConnection[object]) -> Origin:
    """Where a connection leads, and in which schemas it finds its tables."""
    conninfo = make_conninfo(connection.info.dsn, password=connection.info.password)
    return Origin(conninfo, str(await ask(connection, "SHOW search_path")))


@asynccontextmanager
async def connected_like(origin: Origin) -> AsyncGenerator[AsyncConnection[object]]:
    """A connection of its own to the same place, in autocommit."""
    async with await AsyncConnection.connect(origin.conninfo, autocommit=True) as connection:
        await connection.execute("SET TIME ZONE 'UTC'")
        path = [origin.search_path]
        await connection.execute("SELECT set_config('search_path', %s, false)", path)
        yield connection
