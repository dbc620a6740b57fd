"""Reprocessing runs: their jobs in the bulk lane, which share the run's id as correlation id."""

from typing import Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import scalar_row

from domain.jobs import BULK_QUEUE, reprocess_job
from transcoder.queue.queued_jobs import enqueue

# No queueing lock: it would keep a running job from being requeued while another one is waiting.
_ADOPT: Final = """
UPDATE procrastinate_jobs
SET args = args || jsonb_build_object(
    'correlation_id', %(run_id)s::text, 'causation_id', %(run_id)s::text
)
WHERE lock = %(lock)s AND task_name = %(task_name)s AND status IN ('todo', 'doing')
"""
_JOBS: Final = """
SELECT count(*) FROM procrastinate_jobs
WHERE queue_name = %(queue_name)s AND status IN ('todo', 'doing')
  AND args ->> 'correlation_id' = %(run_id)s
"""


async def enqueue_reprocessing(
    connection: AsyncConnection[object], *, post_id: UUID, user_id: UUID, run_id: UUID
) -> None:
    """Queue the reprocessing of a post; its unfinished job of an earlier run joins this run."""
    job = reprocess_job(post_id, user_id, run_id=run_id)
    parameters = {"lock": job.lock, "task_name": job.task_name, "run_id": str(run_id)}
    adopted = await connection.execute(_ADOPT, parameters)
    if not adopted.rowcount:
        await enqueue(connection, job)


async def jobs_of_run(connection: AsyncConnection[object], run_id: UUID) -> int:
    """How many jobs of a run are unfinished."""
    cursor = connection.cursor(row_factory=scalar_row)
    await cursor.execute(_JOBS, {"queue_name": BULK_QUEUE, "run_id": str(run_id)})
    return int(await cursor.fetchone() or 0)
