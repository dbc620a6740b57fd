"""The queue's application object: procrastinate on the same PostgreSQL as the events."""

from typing import cast

from procrastinate import App, PsycopgConnector
from psycopg import AsyncConnection

from transcoder.queue.job_manager import PersistentJobManager


def open_queue(database_url: str, *, pool_size: int) -> App:
    """Create the application object; open it with `async with app.open_async()`."""
    connector = PsycopgConnector(
        conninfo=database_url,
        min_size=1,
        max_size=pool_size,
        timeout=10.0,
        configure=_configure,
    )
    queue = App(connector=connector)
    queue.job_manager = PersistentJobManager(connector)
    return queue


def connection_stats(queue: App) -> dict[str, int]:
    """The statistics of an open queue's connection pool; see `psycopg_pool`."""
    connector = cast("PsycopgConnector", queue.connector)
    return connector.pool.get_stats()


async def _configure(connection: AsyncConnection[object]) -> None:
    # Fetch a job in one statement: in a transaction, a frozen worker would keep it locked.
    await connection.set_autocommit(True)
    # A plan for all lanes would read through the deepest one to find another's jobs.
    await connection.execute("SET plan_cache_mode = force_custom_plan")
