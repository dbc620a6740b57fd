"""The runner: follows the log for as long as it lives, and catches up on demand.

It looks at least every `POLL_SECONDS`; a notification from an append only makes it look sooner,
so that a LISTEN session that dies silently costs at most that long.
"""

from typing import Final, NoReturn

import anyio
import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from projections.connection import configure
from projections.log import CHANNEL, head_position
from projections.projection import Projection, project_batch

POLL_SECONDS: Final = 1.0
RECONNECT_SECONDS: Final = 1.0
CONNECT_TIMEOUT_SECONDS: Final = 10

# The server ends a transaction that took too long by ending its session.
CONNECTION_LOST: Final = (
    psycopg.OperationalError,
    psycopg.errors.TransactionTimeout,
    psycopg.errors.IdleInTransactionSessionTimeout,
)

_log = structlog.get_logger(__name__)


async def follow(url: str, projection: Projection) -> NoReturn:
    """Keep `projection` up to date until cancelled; a lost connection is opened again.

    Raises:
        UnreadableEvent: the log holds something that this code cannot read; nothing after it was
            projected.
        psycopg.Error: a read table refused a row; likewise.
    """
    while True:
        try:
            await _follow_on_one_connection(url, projection)
        except CONNECTION_LOST as error:
            _log.warning("connection_lost", projection=projection.name, error=str(error))
            await anyio.sleep(RECONNECT_SECONDS)


async def _follow_on_one_connection(url: str, projection: Projection) -> NoReturn:
    async with await AsyncConnection.connect(
        url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS
    ) as connection:
        await configure(connection)
        await connection.execute(f"LISTEN {CHANNEL}")
        _log.info("following", projection=projection.name)
        while True:
            await _catch_up_fully(connection, projection)
            async for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                pass


async def _catch_up_fully(connection: AsyncConnection[object], projection: Projection) -> None:
    while (await project_batch(connection, projection)).events:
        pass


async def catch_up(
    pool: AsyncConnectionPool[AsyncConnection[object]],
    projection: Projection,
    *,
    position: int | None,
) -> None:
    """Project until `position` is visible to every read that starts after this returns.

    Without a position, everything is that was in the log when this was called. Whoever must
    answer for its own write calls this, instead of waiting for the runner to come round: they
    share the work through the row lock, and nobody depends on the runner being alive.
    """
    async with pool.connection() as connection:
        target = position or await head_position(connection)
        batch = await project_batch(connection, projection)
        while batch.events and batch.position < target:
            batch = await project_batch(connection, projection)
