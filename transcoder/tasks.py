"""The tasks: what each kind of job does, and when a failed attempt is tried again.

The queue retries whatever raises, for ever and ever more slowly: giving up is the job's own
decision, recorded as an event, so that no post is ever left without an end.
"""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from msgspec import Struct
from procrastinate import App, JobContext
from procrastinate.jobs import Job, Status
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.event_store.publishing import Publishing
from domain.jobs import (
    BULK_QUEUE,
    DUTIES_QUEUE,
    HOUSEKEEPING_QUEUE,
    REMOVE_OBJECTS_TASK,
    REMOVE_ORIGINAL_TASK,
    REPROCESS_TASK,
    TRANSCODE_QUEUE,
    TRANSCODE_TASK,
)
from transcoder.duties.expired_uploads import close_expired_uploads
from transcoder.duties.lost_posts import rescue_lost_posts
from transcoder.duties.orphans import ORPHANS_OLDER_THAN, remove_orphans
from transcoder.errors import TranscoderError
from transcoder.jobs.attempt import attempt
from transcoder.jobs.remove_objects import remove_objects
from transcoder.jobs.reprocess import Reprocessing
from transcoder.jobs.transcode import Transcoding
from transcoder.jobs.work import EventStore, Renderer, Work
from transcoder.object_store.protocol import ObjectStore
from transcoder.object_store.transfer import Transfer
from transcoder.queue.lanes import STALLED_AFTER_SECONDS
from transcoder.queue.queued_jobs import WORKER_LOST, note_failure

LONGEST_PAUSE_SECONDS: Final = 60
# Fetched before the objects of deleted posts.
DUTY_PRIORITY: Final = 10
ENDED_JOBS_HOURS: Final = 72
EVERY_NIGHT: Final = "17 3 * * *"
EVERY_MINUTE: Final = "* * * * *"
EVERY_TEN_SECONDS: Final = "* * * * * */10"

_log = structlog.get_logger(__name__)


class Parts(Struct, frozen=True, kw_only=True):
    """What the tasks work with; `in_bulk` is a transcoding that never makes the other one wait."""

    transcoding: Transcoding
    in_bulk: Transcoding
    reprocessing: Reprocessing
    events: EventStore
    publishing: Publishing
    store: ObjectStore
    connections: AsyncConnectionPool[AsyncConnection[object]]


def assemble(
    *,
    publishing: Publishing,
    store: ObjectStore,
    connections: AsyncConnectionPool[AsyncConnection[object]],
    renderer: Renderer,
    bulk_renderer: Renderer,
) -> Parts:
    """The parts around a writer, an object store and what renders."""
    events, transfer = EventStore(publishing), Transfer(store)
    return Parts(
        transcoding=Transcoding(events=events, transfer=transfer, renderer=renderer),
        in_bulk=Transcoding(events=events, transfer=transfer, renderer=bulk_renderer),
        reprocessing=Reprocessing(events=events, transfer=transfer, renderer=bulk_renderer),
        events=events,
        publishing=publishing,
        store=store,
        connections=connections,
    )


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
    _add_reprocess(queue, parts)
    _add_remove_objects(queue, parts)
    _add_close_expired_uploads(queue, parts)
    _add_remove_orphans(queue, parts)
    _add_forget_ended_jobs(queue)
    _add_take_over_stalled_jobs(queue, parts)
    _add_rescue_posts(queue, parts)


def _add_transcode(queue: App, parts: Parts) -> None:
    @queue.task(name=TRANSCODE_TASK, queue=TRANSCODE_QUEUE, pass_context=True, retry=RetryForEver())
    async def transcode(context: JobContext, /, **_: object) -> None:
        transcoding = parts.in_bulk if context.job.queue == BULK_QUEUE else parts.transcoding
        give_up = partial(transcoding.give_up_or_raise, stage="record")
        await attempt(context.job, parts.connections, run=transcoding.run, give_up=give_up)


def _add_reprocess(queue: App, parts: Parts) -> None:
    @queue.task(name=REPROCESS_TASK, queue=BULK_QUEUE, pass_context=True, retry=RetryForEver())
    async def reprocess(context: JobContext, /, **_: object) -> None:
        job, reprocessing = context.job, parts.reprocessing
        give_up = reprocessing.give_up_or_raise
        await attempt(job, parts.connections, run=reprocessing.run, give_up=give_up)


def _add_remove_objects(queue: App, parts: Parts) -> None:
    @queue.task(
        name=REMOVE_OBJECTS_TASK,
        aliases=[REMOVE_ORIGINAL_TASK],
        queue=HOUSEKEEPING_QUEUE,
        pass_context=True,
        retry=RetryForEver(),
    )
    async def remove(context: JobContext, /, **_: object) -> None:
        await attempt(context.job, parts.connections, run=run, give_up=never_give_up)

    async def run(work: Work) -> None:
        _log.info("removing_objects")
        await remove_objects(parts.store, parts.events, post_id=work.post_id)

    async def never_give_up(failure: TranscoderError, *, work: Work) -> None:
        _log.error("objects_remain", attempt=work.attempt)
        raise failure


def _add_close_expired_uploads(queue: App, parts: Parts) -> None:
    name = "expired_uploads.close"

    @queue.periodic(cron=EVERY_MINUTE)
    @queue.task(
        name=name,
        queue=HOUSEKEEPING_QUEUE,
        lock=name,
        queueing_lock=name,
        priority=DUTY_PRIORITY,
        pass_context=True,
    )
    async def close_expired(context: JobContext, timestamp: int) -> None:
        _log.debug("closing_expired_uploads", job_id=context.job.id, tick=timestamp)
        await close_expired_uploads(parts.connections, parts.publishing)


def _add_remove_orphans(queue: App, parts: Parts) -> None:
    name = "orphans.remove"

    @queue.periodic(cron=EVERY_NIGHT)
    @queue.task(name=name, queue=HOUSEKEEPING_QUEUE, lock=name, queueing_lock=name)
    async def remove(timestamp: int) -> None:
        before = datetime.fromtimestamp(timestamp, UTC) - ORPHANS_OLDER_THAN
        await remove_orphans(parts.store, parts.connections, before=before)


def _add_forget_ended_jobs(queue: App) -> None:
    name = "ended_jobs.forget"

    @queue.periodic(cron=EVERY_NIGHT)
    @queue.task(name=name, queue=DUTIES_QUEUE, queueing_lock=name)
    async def forget(timestamp: int) -> None:
        _log.debug("forgetting_ended_jobs", tick=timestamp)
        # Of duties that failed or were interrupted: everything else is deleted or goes on.
        await queue.job_manager.delete_old_jobs(
            nb_hours=ENDED_JOBS_HOURS,
            include_failed=True,
            include_cancelled=True,
            include_aborted=True,
        )


def _add_take_over_stalled_jobs(queue: App, parts: Parts) -> None:
    name = "stalled_jobs.take_over"

    @queue.periodic(cron=EVERY_TEN_SECONDS)
    @queue.task(name=name, queue=DUTIES_QUEUE, queueing_lock=name, pass_context=True)
    async def take_over(context: JobContext, timestamp: int) -> None:
        jobs = queue.job_manager
        for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
            _log.warning(
                "took_over_stalled_job", job_id=job.id, by_job_id=context.job.id, tick=timestamp
            )
            if "post_id" not in job.task_kwargs:
                # A duty: the next one comes by itself.
                await jobs.finish_job(job, status=Status.FAILED, delete_job=True)
                continue
            async with parts.connections.connection() as connection:
                await note_failure(connection, job.id or 0, WORKER_LOST)
            await jobs.retry_job(job)


def _add_rescue_posts(queue: App, parts: Parts) -> None:
    name = "posts.rescue"

    @queue.periodic(cron=EVERY_MINUTE)
    @queue.task(name=name, queue=DUTIES_QUEUE, queueing_lock=name)
    async def rescue(timestamp: int) -> None:
        _log.debug("rescuing_posts", tick=timestamp)
        async with parts.connections.connection() as connection:
            await rescue_lost_posts(connection)
