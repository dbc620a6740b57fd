"""The job queue: procrastinate on the same PostgreSQL, how deep it is and how fast it empties."""

from typing import Final
from uuid import UUID

from msgspec import Struct
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from domain.jobs import BULK_QUEUE, QUEUES, REPROCESS_TASK, TRANSCODE_QUEUE, lock_of

# As long as it takes until a worker's jobs are given to another one.
ALIVE_SECONDS: Final = 10

_DEPTH: Final = """
SELECT count(*) FILTER (WHERE status = 'todo') AS waiting,
       count(*) FILTER (WHERE status = 'doing') AS running
FROM procrastinate_jobs
WHERE queue_name = %(queue_name)s AND status IN ('todo', 'doing')
"""
_OF_RUN: Final = """
SELECT count(*) FROM procrastinate_jobs
WHERE queue_name = %(queue_name)s AND status IN ('todo', 'doing')
  AND args ->> 'correlation_id' = %(run_id)s
"""
_LANES: Final = """
SELECT lane.queue_name,
       count(*) FILTER (WHERE job.status = 'todo' AND job.is_due) AS waiting,
       count(*) FILTER (WHERE job.status = 'todo' AND NOT job.is_due) AS later,
       count(*) FILTER (WHERE job.status = 'doing') AS running,
       coalesce(extract(epoch FROM now() - (
           SELECT event.at FROM procrastinate_events AS event
           WHERE event.job_id = min(job.id) FILTER (WHERE job.status = 'todo' AND job.is_due)
           ORDER BY event.at DESC LIMIT 1
       )), 0)::float8 AS oldest_seconds
FROM unnest(%(queue_names)s::text[]) AS lane (queue_name)
LEFT JOIN LATERAL (
    SELECT id, status, scheduled_at IS NULL OR scheduled_at <= now() AS is_due
    FROM procrastinate_jobs
    WHERE queue_name = lane.queue_name AND status IN ('todo', 'doing')
) AS job ON true
GROUP BY lane.queue_name
"""
_ALIVE: Final = """
SELECT count(*) FROM procrastinate_workers
WHERE last_heartbeat > now() - make_interval(secs => %(seconds)s)
"""
# Defined beside the log that it reads.
_PACE: Final = "SELECT seconds_per_post()"


class QueueDepth(Struct, frozen=True, kw_only=True):
    """How many jobs wait, also for their next attempt, and how many run."""

    waiting: int
    running: int


class LaneState(Struct, frozen=True, kw_only=True):
    """One queue: `later` are jobs between attempts; the oldest is of those that wait now."""

    queue_name: str
    waiting: int
    later: int
    running: int
    oldest_seconds: float


async def lane_states(connection: AsyncConnection[object]) -> list[LaneState]:
    """How every queue is doing."""
    async with connection.cursor(row_factory=class_row(LaneState)) as cursor:
        await cursor.execute(_LANES, {"queue_names": list(QUEUES)})
        return await cursor.fetchall()


async def lanes_alive(connection: AsyncConnection[object]) -> int:
    """How many lanes of workers have given a sign of life just now; each process has three."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_ALIVE, {"seconds": ALIVE_SECONDS})
        return int(await cursor.fetchone() or 0)


async def queue_depth(
    connection: AsyncConnection[object], queue_name: str = TRANSCODE_QUEUE
) -> QueueDepth:
    """Count the jobs of one queue."""
    async with connection.cursor(row_factory=class_row(QueueDepth)) as cursor:
        await cursor.execute(_DEPTH, {"queue_name": queue_name})
        depth = await cursor.fetchone()
    return depth or QueueDepth(waiting=0, running=0)


async def seconds_per_post(connection: AsyncConnection[object]) -> float | None:
    """How soon one post after another leaves the queue; None if nobody can tell."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_PACE)
        pace: float | None = await cursor.fetchone()
    return pace


async def defer_reprocessing(queue: App, *, post_id: UUID, user_id: UUID, run_id: UUID) -> bool:
    """Queue making a post's variants again, behind everything live; False if that waits already."""
    name = f"reprocess:{post_id}"
    task = queue.configure_task(
        REPROCESS_TASK, queue=BULK_QUEUE, lock=lock_of(post_id), queueing_lock=name
    )
    try:
        await task.defer_async(
            post_id=str(post_id),
            user_id=str(user_id),
            correlation_id=str(run_id),
            causation_id=str(run_id),
        )
    except AlreadyEnqueued:
        return False
    return True


async def jobs_of_run(connection: AsyncConnection[object], run_id: UUID) -> int:
    """How many bulk jobs that share this correlation id wait or run."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_OF_RUN, {"queue_name": BULK_QUEUE, "run_id": str(run_id)})
        return int(await cursor.fetchone() or 0)


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
