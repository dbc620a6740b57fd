"""Queue depth: how many jobs a queue holds, and how fast it empties."""

from typing import Final

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from domain.jobs import TRANSCODE_QUEUE

_DEPTH: Final = """
SELECT count(*) FILTER (WHERE status = 'todo') AS waiting,
       count(*) FILTER (WHERE status = 'doing') AS running
FROM procrastinate_jobs
WHERE queue_name = %(queue_name)s AND status IN ('todo', 'doing')
"""
_SECONDS_PER_POST: Final = "SELECT seconds_per_post()"


class QueueDepth(Struct, frozen=True, kw_only=True):
    """How many jobs are waiting, those between two attempts included, and how many are running."""

    waiting: int
    running: int


async def queue_depth(
    connection: AsyncConnection[object], queue_name: str = TRANSCODE_QUEUE
) -> QueueDepth:
    """Count the jobs of one queue."""
    cursor = connection.cursor(row_factory=class_row(QueueDepth))
    await cursor.execute(_DEPTH, {"queue_name": queue_name})
    return await cursor.fetchone() or QueueDepth(waiting=0, running=0)


async def seconds_per_post(connection: AsyncConnection[object]) -> float | None:
    """The mean time between two posts that leave a full queue; None while no job is running."""
    cursor = connection.cursor(row_factory=scalar_row)
    seconds: float | None = await (await cursor.execute(_SECONDS_PER_POST)).fetchone()
    return seconds
