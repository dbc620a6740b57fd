"""Lanes: the state of each queue, and how many lanes of workers are alive."""

from typing import Final

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from domain.jobs import QUEUES

# A lane without a heartbeat for this long is stalled: other workers take its jobs over.
STALLED_AFTER_SECONDS: Final = 10

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


class LaneState(Struct, frozen=True, kw_only=True):
    """The jobs of one queue.

    `waiting` are due, `later` are between two attempts; `oldest_seconds` is how long the oldest of
    those that are due has waited.
    """

    queue_name: str
    waiting: int
    later: int
    running: int
    oldest_seconds: float


async def lane_states(connection: AsyncConnection[object]) -> list[LaneState]:
    """The state of every queue."""
    cursor = connection.cursor(row_factory=class_row(LaneState))
    return await (await cursor.execute(_LANES, {"queue_names": list(QUEUES)})).fetchall()


async def lanes_alive(connection: AsyncConnection[object]) -> int:
    """How many lanes have a recent heartbeat; each worker process has four."""
    cursor = connection.cursor(row_factory=scalar_row)
    await cursor.execute(_ALIVE, {"seconds": STALLED_AFTER_SECONDS})
    return int(await cursor.fetchone() or 0)
