"""The queue's application object: procrastinate on the same PostgreSQL as the events."""

import math
import time
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

from procrastinate import App, PsycopgConnector
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from transcoder.queue.job_manager import PersistentJobManager

# A connection that was used this recently is not checked again: the check is a round trip before
# every statement of the queue, a quarter of what a job costs the worker.
TRUSTED_FOR_SECONDS: Final = 1.0


def open_queue(database_url: str, *, pool_size: int) -> App:
    """Create the application object; open it with `async with app.open_async()`."""
    connector = PsycopgConnector(
        conninfo=database_url,
        min_size=1,
        max_size=pool_size,
        timeout=10.0,
        configure=_configure,
        pool_factory=_open_pool,
    )
    queue = App(connector=connector)
    queue.job_manager = PersistentJobManager(connector)
    return queue


def connection_stats(queue: App) -> dict[str, int]:
    """The statistics of an open queue's connection pool; see `psycopg_pool`."""
    connector = cast("PsycopgConnector", queue.connector)
    return connector.pool.get_stats()


class IdleCheck:
    """Checks the connections of a pool that have been idle; the library checks all, every time."""

    def __init__(self) -> None:
        self._used_at: WeakKeyDictionary[AsyncConnection[TupleRow], float] = WeakKeyDictionary()

    async def __call__(self, connection: AsyncConnection[TupleRow]) -> None:
        """Check a connection before it is used.

        Raises:
            psycopg.OperationalError: it is lost, and the pool replaces it.
        """
        now = time.monotonic()
        idle_seconds = now - self._used_at.get(connection, -math.inf)
        self._used_at[connection] = now
        if idle_seconds > TRUSTED_FOR_SECONDS:
            await AsyncConnectionPool.check_connection(connection)


def _open_pool(**arguments: Any) -> AsyncConnectionPool[AsyncConnection[TupleRow]]:  # noqa: ANN401 - psycopg_pool's arguments
    return AsyncConnectionPool(**{**arguments, "check": IdleCheck()})


async def _configure(connection: AsyncConnection[object]) -> None:
    # Fetch a job in one statement: in a transaction, a frozen worker would keep it locked.
    await connection.set_autocommit(True)
    # A plan for all lanes would read through the deepest one to find another's jobs.
    await connection.execute("SET plan_cache_mode = force_custom_plan")
