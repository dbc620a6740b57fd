"""Stalled jobs: jobs of workers without heartbeat, taken over by another worker."""

import structlog
from procrastinate import App
from procrastinate.jobs import Status
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from transcoder.queue.lanes import STALLED_AFTER_SECONDS
from transcoder.queue.queued_jobs import WORKER_LOST, note_failure

_log = structlog.get_logger(__name__)


async def take_over_stalled_jobs(
    queue: App, connections: AsyncConnectionPool[AsyncConnection[object]]
) -> None:
    """Queue the jobs of stalled workers again, at once; stalled duties are deleted.

    The lost worker counts as a failed attempt: a photo that kills its workers is given up.
    """
    jobs = queue.job_manager
    for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
        _log.warning("took_over_stalled_job", job_id=job.id)
        if "post_id" not in job.task_kwargs:
            # A duty: its next run is queued by the clock.
            await jobs.finish_job(job, status=Status.FAILED, delete_job=True)
            continue
        async with connections.connection() as connection:
            await note_failure(connection, job.id or 0, WORKER_LOST)
        await jobs.retry_job(job)
