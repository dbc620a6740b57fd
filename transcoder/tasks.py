"""The tasks: what each kind of job does, and when a failed attempt is tried again.

The queue retries whatever raises, for ever and ever more slowly: giving up is the job's own
decision, recorded as an event, so that no post is ever left without an end.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from msgspec import Struct
from procrastinate import App, JobContext
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from psycopg import AsyncConnection
from psycopg.rows import scalar_row
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
from transcoder.transcode import Transcoding, Work

LONGEST_PAUSE_SECONDS: Final = 60
# Duties are short and few: they are fetched before any picture.
DUTY_PRIORITY: Final = 10
EVERY_MINUTE: Final = "* * * * *"
EVERY_TEN_SECONDS: Final = "* * * * * */10"
# A worker that has not given a sign of life for this long is taken for dead.
STALLED_SECONDS: Final = 10.0
# No attempt takes this long, however slow the object store is.
FORGOTTEN_AFTER: Final = timedelta(minutes=15)

# Defined beside the read table that it reads.
_RESCUE: Final = "SELECT post_id FROM rescue_posts(%(idle_for)s)"

_log = structlog.get_logger(__name__)


class Parts(Struct, frozen=True, kw_only=True):
    """What the tasks work with."""

    transcoding: Transcoding
    publishing: Publishing
    store: ObjectStore
    connections: AsyncConnectionPool[AsyncConnection[object]]


class RetryForEver(BaseRetryStrategy):
    """Wait 2, 4, 8 … up to 60 s; not at all when the worker was told to stop in the middle."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        """When the next attempt is due."""
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_in={"seconds": 0})
        pause = min(2 ** (job.attempts + 1), LONGEST_PAUSE_SECONDS)
        return RetryDecision(retry_in={"seconds": pause})


def add_tasks(queue: App, parts: Parts) -> None:
    """Teach `queue` every kind of job and every periodic duty."""
    _add_transcode(queue, parts)
    _add_remove_original(queue, parts)
    _add_close_expired_uploads(queue, parts)
    _add_take_over_stalled_jobs(queue)
    _add_rescue_posts(queue, parts)


def _add_transcode(queue: App, parts: Parts) -> None:
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
            await parts.transcoding.run(work)
        except (TranscoderError, EventStoreUnavailable):
            raise
        except Exception:  # noqa: BLE001 - the worker's loop: whatever broke becomes an event
            _log.exception("attempt_broke", post_id=post_id, correlation_id=correlation_id)
            trouble = UnexpectedTrouble()
            await parts.transcoding.give_up_or_raise(trouble, stage="record", work=work)


def _add_remove_original(queue: App, parts: Parts) -> None:
    @queue.task(
        name=REMOVE_ORIGINAL_TASK,
        queue=HOUSEKEEPING_QUEUE,
        pass_context=True,
        retry=RetryForEver(),
    )
    async def remove(context: JobContext, /, *, post_id: str, **cause: str) -> None:
        _log.info("removing_original", job_id=context.job.id, post_id=post_id, **cause)
        await remove_original(parts.store, parts.publishing, post_id=UUID(post_id))


def _add_close_expired_uploads(queue: App, parts: Parts) -> None:
    name = "expired_uploads.close"

    @queue.periodic(cron=EVERY_MINUTE)
    @queue.task(name=name, queue=HOUSEKEEPING_QUEUE, queueing_lock=name, priority=DUTY_PRIORITY)
    async def close_expired(timestamp: int) -> None:
        now = datetime.fromtimestamp(timestamp, UTC)
        await close_expired_uploads(parts.connections, parts.publishing, now=now)


def _add_take_over_stalled_jobs(queue: App) -> None:
    name = "stalled_jobs.take_over"

    @queue.periodic(cron=EVERY_TEN_SECONDS)
    @queue.task(
        name=name,
        queue=HOUSEKEEPING_QUEUE,
        queueing_lock=name,
        priority=DUTY_PRIORITY,
        pass_context=True,
    )
    async def take_over(context: JobContext, timestamp: int) -> None:
        jobs = queue.job_manager
        for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
            _log.warning(
                "took_over_stalled_job", job_id=job.id, by_job_id=context.job.id, tick=timestamp
            )
            try:
                await jobs.retry_job(job)
            except ConnectorException as error:
                # It has just ended, or another of its kind waits already: the others matter too.
                _log.warning("not_taken_over", job_id=job.id, error=str(error))


def _add_rescue_posts(queue: App, parts: Parts) -> None:
    name = "posts.rescue"

    @queue.periodic(cron=EVERY_MINUTE)
    @queue.task(name=name, queue=HOUSEKEEPING_QUEUE, queueing_lock=name, priority=DUTY_PRIORITY)
    async def rescue(timestamp: int) -> None:
        async with (
            parts.connections.connection() as connection,
            connection.cursor(row_factory=scalar_row) as cursor,
        ):
            await cursor.execute(_RESCUE, {"idle_for": FORGOTTEN_AFTER})
            for post_id in await cursor.fetchall():
                _log.warning("rescued_post", post_id=str(post_id), tick=timestamp)
