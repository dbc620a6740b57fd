"""The job queue: procrastinate on the same PostgreSQL, how deep it is and how fast it empties."""

from collections.abc import Iterable
from typing import Final, cast
from uuid import UUID

from msgspec import Struct
from procrastinate import App, PsycopgConnector
from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from domain.jobs import (
    BULK_QUEUE,
    QUEUES,
    REPROCESS_TASK,
    TRANSCODE_QUEUE,
    TRANSCODE_TASK,
    lock_of,
)
from transcoder.queue.job_manager import PersistentJobManager

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
       coalesce(extract(epoch FROM now() - least(
           min(job.scheduled_at) FILTER (WHERE job.status = 'todo' AND job.is_due),
           (
               SELECT min(event.at) FROM procrastinate_events AS event
               WHERE event.job_id = min(job.id)
                   FILTER (WHERE job.status = 'todo' AND job.scheduled_at IS NULL)
           )
       )), 0)::float8 AS oldest_seconds
FROM unnest(%(queue_names)s::text[]) AS lane (queue_name)
LEFT JOIN LATERAL (
    SELECT id, status, scheduled_at, scheduled_at IS NULL OR scheduled_at <= now() AS is_due
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


# Takes turns, as `append_post_events` has it.
_PRIORITY: Final = "SELECT fair_share_priority(%(queue_name)s, %(user_id)s)"
# Not by a queueing lock: it would keep a job that runs from going back to wait beside another one.
_ADOPT: Final = """
UPDATE procrastinate_jobs
SET args = args || jsonb_build_object(
    'correlation_id', %(run_id)s::text, 'causation_id', %(run_id)s::text
)
WHERE lock = %(lock)s AND task_name = %(task_name)s AND status IN ('todo', 'doing')
RETURNING id
"""
_NOTE_TROUBLE: Final = "SELECT note_trouble(%(job_id)s, %(code)s)"
_WAITING: Final = """
SELECT id FROM procrastinate_jobs
WHERE lock = %(lock)s AND task_name = %(task_name)s AND status = 'todo'
"""
_TAKE_OUT: Final = "SELECT cancel_job(%(job_id)s)"


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
    """How many lanes of workers have given a sign of life just now; each process has four."""
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


async def note_trouble(connection: AsyncConnection[object], job_id: int, code: str) -> None:
    """Let those who look at a job that waits for its next attempt see why the last one failed."""
    await connection.execute(_NOTE_TROUBLE, {"job_id": job_id, "code": code})


async def waiting_jobs(connection: AsyncConnection[object], post_id: UUID) -> list[int]:
    """The ids of the transcode jobs of a post that wait."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        job = {"lock": lock_of(post_id), "task_name": TRANSCODE_TASK}
        await cursor.execute(_WAITING, job)
        return await cursor.fetchall()


async def take_out(connection: AsyncConnection[object], job_ids: Iterable[int]) -> None:
    """Take jobs out of their queue, where they took room, if they still wait."""
    for job_id in job_ids:
        await connection.execute(_TAKE_OUT, {"job_id": job_id})


async def defer_reprocessing(
    queue: App,
    connection: AsyncConnection[object],
    *,
    post_id: UUID,
    user_id: UUID,
    run_id: UUID,
) -> None:
    """Queue making a post's variants again, when it is its user's turn.

    A job of an earlier run that has not ended becomes one of this run.
    """
    async with connection.cursor(row_factory=scalar_row) as cursor:
        job = {"lock": lock_of(post_id), "task_name": REPROCESS_TASK, "run_id": str(run_id)}
        await cursor.execute(_ADOPT, job)
        if await cursor.fetchall():
            return
        await cursor.execute(_PRIORITY, {"queue_name": BULK_QUEUE, "user_id": str(user_id)})
        priority = int(await cursor.fetchone() or 0)
    task = queue.configure_task(
        REPROCESS_TASK,
        queue=BULK_QUEUE,
        priority=priority,
        lock=lock_of(post_id),
    )
    await task.defer_async(
        post_id=str(post_id),
        user_id=str(user_id),
        correlation_id=str(run_id),
        causation_id=str(run_id),
    )


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
        configure=_configure,
    )
    queue = App(connector=connector)
    queue.job_manager = PersistentJobManager(connector)
    return queue


def connection_stats(queue: App) -> dict[str, int]:
    """What the pool of connections of an open queue tells of itself."""
    connector = cast("PsycopgConnector", queue.connector)
    return connector.pool.get_stats()


async def _configure(connection: AsyncConnection[object]) -> None:
    # Fetch a job in one statement: in a transaction, a frozen worker would keep it locked.
    await connection.set_autocommit(True)
    # A plan for all lanes would read through the deepest one to find another's jobs.
    await connection.execute("SET plan_cache_mode = force_custom_plan")
