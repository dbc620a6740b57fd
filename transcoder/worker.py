"""The worker process: takes jobs from the queue, and keeps the periodic duties.

This is the worker's composition root and its one loop. The queue retries whatever raises, for
ever and ever more slowly: giving up is the job's own decision, recorded as an event.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog
from procrastinate import App, JobContext
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.errors import EventStoreUnavailable
from domain.jobs import (
    HOUSEKEEPING_QUEUE,
    REMOVE_ORIGINAL_TASK,
    TRANSCODE_QUEUE,
    TRANSCODE_TASK,
)
from domain.publishing import Publishing
from transcoder.errors import TranscoderError, UnexpectedTrouble
from transcoder.expired_uploads import close_expired_uploads, remove_original
from transcoder.object_store import ObjectStore
from transcoder.pool import RenderPool
from transcoder.queue import open_queue
from transcoder.rendering import Limits
from transcoder.s3 import open_s3
from transcoder.settings import WorkerSettings
from transcoder.transcode import Transcoding, Work

# Pictures download and upload while others are rendered.
JOBS_PER_PROCESS: Final = 2
# Duties are short and few: they never wait behind pictures.
DUTY_PRIORITY: Final = 10
DRAIN_SECONDS: Final = 4.0
POLL_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60
# A worker that has not given a sign of life for this long is taken for dead.
STALLED_SECONDS: Final = 30.0

_log = structlog.get_logger(__name__)


class RetryForEver(BaseRetryStrategy):
    """Wait 2, 4, 8 … up to 60 s; at once when the worker was told to stop in the middle."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        """When the next attempt is due."""
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_in={"seconds": 0})
        pause = min(2 ** (job.attempts + 1), LONGEST_PAUSE_SECONDS)
        return RetryDecision(retry_in={"seconds": pause})


async def run_worker(settings: WorkerSettings) -> None:
    """Work until SIGTERM or SIGINT, then finish what runs or hand it back."""
    async with (
        _reading_pool(settings) as connections,
        open_s3(settings) as store,
    ):
        pool = RenderPool(size=settings.worker_concurrency, limits=Limits())
        await pool.warm()
        with Publishing(settings.database_url, pool_size=settings.db_pool_size) as publishing:
            queue = open_queue(settings.database_url, pool_size=settings.db_pool_size)
            transcoding = Transcoding(publishing=publishing, store=store, pool=pool)
            _add_transcode_task(queue, transcoding)
            _add_remove_original_task(queue, store, publishing=publishing)
            _add_periodic_duties(queue, connections, publishing=publishing)
            async with queue.open_async():
                await queue.run_worker_async(
                    queues=[TRANSCODE_QUEUE, HOUSEKEEPING_QUEUE],
                    concurrency=JOBS_PER_PROCESS * settings.worker_concurrency,
                    fetch_job_polling_interval=POLL_SECONDS,
                    shutdown_graceful_timeout=DRAIN_SECONDS,
                    stalled_worker_timeout=STALLED_SECONDS,
                    delete_jobs="successful",
                )


@asynccontextmanager
async def _reading_pool(
    settings: WorkerSettings,
) -> AsyncIterator[AsyncConnectionPool[AsyncConnection[object]]]:
    pool: AsyncConnectionPool[AsyncConnection[object]] = AsyncConnectionPool(
        settings.database_url, min_size=0, max_size=2, kwargs={"autocommit": True}, open=False
    )
    async with pool:
        yield pool


def _add_transcode_task(queue: App, transcoding: Transcoding) -> None:
    @queue.task(name=TRANSCODE_TASK, queue=TRANSCODE_QUEUE, pass_context=True, retry=RetryForEver())
    async def transcode(
        context: JobContext, *, post_id: str, correlation_id: str, causation_id: str
    ) -> None:
        work = Work(
            post_id=UUID(post_id),
            correlation_id=UUID(correlation_id),
            causation_id=UUID(causation_id),
            attempt=context.job.attempts + 1,
        )
        try:
            await transcoding.run(work)
        except (TranscoderError, EventStoreUnavailable):
            raise
        except Exception:  # noqa: BLE001 - the worker's loop: whatever broke becomes an event
            _log.exception("attempt_broke", post_id=post_id, correlation_id=correlation_id)
            await transcoding.give_up_or_raise(UnexpectedTrouble(), stage="record", work=work)


def _add_remove_original_task(queue: App, store: ObjectStore, *, publishing: Publishing) -> None:
    @queue.task(name=REMOVE_ORIGINAL_TASK, queue=HOUSEKEEPING_QUEUE, retry=RetryForEver())
    async def remove(*, post_id: str, correlation_id: str, causation_id: str) -> None:
        _log.info("removing_original", post_id=post_id, correlation_id=correlation_id)
        del causation_id
        await remove_original(store, publishing, post_id=UUID(post_id))


def _add_periodic_duties(
    queue: App,
    connections: AsyncConnectionPool[AsyncConnection[object]],
    *,
    publishing: Publishing,
) -> None:
    @queue.periodic(cron="* * * * *")
    @queue.task(
        name="expired_uploads.close",
        queue=HOUSEKEEPING_QUEUE,
        queueing_lock="expired_uploads.close",
        priority=DUTY_PRIORITY,
    )
    async def close_expired(timestamp: int) -> None:
        await close_expired_uploads(
            connections, publishing, now=datetime.fromtimestamp(timestamp, UTC)
        )

    @queue.periodic(cron="* * * * * */10")
    @queue.task(
        name="stalled_jobs.take_over",
        queue=HOUSEKEEPING_QUEUE,
        queueing_lock="stalled_jobs.take_over",
        priority=DUTY_PRIORITY,
    )
    async def take_over_stalled(timestamp: int) -> None:
        del timestamp
        stalled = await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS)
        for job in stalled:
            _log.warning("took_over_stalled_job", job_id=job.id, task=job.task_name)
            await queue.job_manager.retry_job(job)
