"""Stalled jobs: jobs of workers without heartbeat, taken over by another worker.

Each is taken over on its own: one that the database refuses, or that another session has locked, is
logged as an error, and holds up no other.
"""

from typing import Final

import psycopg
import structlog
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from transcoder.queue.lanes import STALLED_AFTER_SECONDS
from transcoder.queue.queued_jobs import requeue_lost

_log: Final = structlog.get_logger(__name__)


async def take_over_stalled_jobs(
    queue: App, connections: AsyncConnectionPool[AsyncConnection[object]]
) -> None:
    """Queue the jobs of stalled workers again, at once; stalled duties are deleted.

    The lost worker counts as a failed attempt: a photo that kills its workers is given up.

    Raises:
        psycopg.OperationalError: the connection is lost; the next run takes over the rest.
    """
    stalled = await queue.job_manager.get_stalled_jobs(
        seconds_since_heartbeat=STALLED_AFTER_SECONDS
    )
    for job in stalled:
        if "post_id" in job.task_kwargs:
            await _take_over(job, connections)
        else:
            await _delete_duty(job, queue)


async def _take_over(job: Job, connections: AsyncConnectionPool[AsyncConnection[object]]) -> None:
    async with connections.connection() as connection:
        try:
            await requeue_lost(connection, job.id or 0)
        except psycopg.errors.RaiseException:
            # The queue library's own: the job is not running any more.
            _log.info("stalled_job_had_ended", job_id=job.id)
        except psycopg.Error:
            if connection.broken:
                raise
            _log.exception("stalled_job_not_taken_over", job_id=job.id)
        else:
            _log.warning("took_over_stalled_job", job_id=job.id)


async def _delete_duty(job: Job, queue: App) -> None:
    """Its next run is queued by the clock."""
    try:
        await queue.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)
    except ConnectorException:
        _log.exception("stalled_duty_not_deleted", job_id=job.id)
    else:
        _log.warning("deleted_stalled_duty", job_id=job.id)
