"""The job queue: procrastinate on the same PostgreSQL, and how deep it is."""

from typing import Final

from msgspec import Struct
from procrastinate import App, PsycopgConnector
from psycopg import AsyncConnection
from psycopg.rows import class_row

from domain.jobs import TRANSCODE_QUEUE

_DEPTH: Final = """
SELECT count(*) FILTER (WHERE status = 'todo') AS waiting,
       count(*) FILTER (WHERE status = 'doing') AS running
FROM procrastinate_jobs
WHERE queue_name = %(queue_name)s AND status IN ('todo', 'doing')
"""


class QueueDepth(Struct, frozen=True, kw_only=True):
    """How many transcode jobs wait, also for their next attempt, and how many run."""

    waiting: int
    running: int


async def queue_depth(connection: AsyncConnection[object]) -> QueueDepth:
    """Count the transcode jobs."""
    async with connection.cursor(row_factory=class_row(QueueDepth)) as cursor:
        await cursor.execute(_DEPTH, {"queue_name": TRANSCODE_QUEUE})
        depth = await cursor.fetchone()
    return depth or QueueDepth(waiting=0, running=0)


def open_queue(database_url: str, *, pool_size: int) -> App:
    """The queue's application object; open it with `async with app.open_async()`."""
    connector = PsycopgConnector(
        conninfo=database_url,
        min_size=1,
        max_size=pool_size,
        timeout=10.0,
        configure=_use_no_transactions,
    )
    return App(connector=connector)


async def _use_no_transactions(connection: AsyncConnection[object]) -> None:
    """Fetch a job in one statement: in a transaction, a frozen worker would keep it locked."""
    await connection.set_autocommit(True)
