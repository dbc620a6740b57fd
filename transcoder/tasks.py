"""The tasks: every job and duty of a worker, registered with the queue under its stored name."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from anyio import CapacityLimiter
from msgspec import Struct
from procrastinate import App, JobContext
from procrastinate.jobs import Job
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.event_store.publishing import Publishing
from domain.jobs import (
    BULK_QUEUE,
    DUTIES_QUEUE,
    HOUSEKEEPING_QUEUE,
    REMOVE_OBJECTS_TASK,
    REPROCESS_TASK,
    TRANSCODE_QUEUE,
    TRANSCODE_TASK,
)
from transcoder.async_publishing import AsyncPublishing
from transcoder.duties.arrived_uploads import complete_arrived_uploads
from transcoder.duties.ended_jobs import delete_ended_jobs
from transcoder.duties.expired_uploads import close_expired_uploads
from transcoder.duties.lost_posts import rescue_lost_posts
from transcoder.duties.orphans import ORPHANS_OLDER_THAN, remove_orphans
from transcoder.duties.stalled_jobs import take_over_stalled_jobs
from transcoder.jobs.attempt import attempt
from transcoder.jobs.remove_objects import ObjectRemoval
from transcoder.jobs.reprocess import Reprocessing
from transcoder.jobs.retry import RetryForever
from transcoder.jobs.transcode import Transcoding
from transcoder.jobs.work import PostJob, Renderer
from transcoder.object_store.protocol import ObjectStore
from transcoder.object_store.transfer import Transfer

# Appends take turns anyway: more threads would only wait in the database.
APPENDING_THREADS: Final = 4
# A few times what the event store itself needs to notice that the database is down.
APPEND_WITHIN_SECONDS: Final = 60.0
# Fetched before the objects of deleted posts, which share the queue.
DUTY_PRIORITY: Final = 10
EVERY_NIGHT: Final = "17 3 * * *"
EVERY_MINUTE: Final = "* * * * *"
EVERY_TEN_SECONDS: Final = "* * * * * */10"

_log = structlog.get_logger(__name__)


class Parts(Struct, frozen=True, kw_only=True):
    """What the tasks use; `in_bulk` is a transcoding that never delays the live one."""

    transcoding: Transcoding
    in_bulk: Transcoding
    reprocessing: Reprocessing
    removal: ObjectRemoval
    publishing: AsyncPublishing
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
    """Build the parts around a writer, an object store and two renderers."""
    writer = AsyncPublishing(
        publishing,
        limiter=CapacityLimiter(APPENDING_THREADS),
        timeout_seconds=APPEND_WITHIN_SECONDS,
    )
    transfer = Transfer(store)
    return Parts(
        transcoding=Transcoding(publishing=writer, transfer=transfer, renderer=renderer),
        in_bulk=Transcoding(publishing=writer, transfer=transfer, renderer=bulk_renderer),
        reprocessing=Reprocessing(publishing=writer, transfer=transfer, renderer=bulk_renderer),
        removal=ObjectRemoval(publishing=writer, store=store),
        publishing=writer,
        store=store,
        connections=connections,
    )


def add_tasks(queue: App, parts: Parts) -> None:
    """Register every kind of job and every duty."""
    _add_jobs(queue, parts)
    _add_duties(queue, parts)


def _add_jobs(queue: App, parts: Parts) -> None:
    def transcoding_of(job: Job) -> Transcoding:
        return parts.in_bulk if job.queue == BULK_QUEUE else parts.transcoding

    _add_job(queue, parts, TRANSCODE_TASK, queue_name=TRANSCODE_QUEUE, job_of=transcoding_of)
    _add_job(
        queue, parts, REPROCESS_TASK, queue_name=BULK_QUEUE, job_of=lambda _: parts.reprocessing
    )
    _add_job(
        queue,
        parts,
        REMOVE_OBJECTS_TASK,
        queue_name=HOUSEKEEPING_QUEUE,
        job_of=lambda _: parts.removal,
    )


def _add_job(
    queue: App, parts: Parts, name: str, *, queue_name: str, job_of: Callable[[Job], PostJob]
) -> None:
    @queue.task(name=name, queue=queue_name, pass_context=True, retry=RetryForever())
    async def run(context: JobContext, /, **_: object) -> None:
        job = context.job
        await attempt(job, job_of(job), publishing=parts.publishing, connections=parts.connections)


def _add_duties(queue: App, parts: Parts) -> None:
    async def close_expired(_: datetime) -> None:
        # In this order: what has arrived must not be removed.
        await complete_arrived_uploads(parts.connections, parts.publishing, parts.store)
        await close_expired_uploads(parts.connections, parts.publishing)

    async def remove_old_orphans(now: datetime) -> None:
        before = now - ORPHANS_OLDER_THAN
        await remove_orphans(parts.store, parts.connections, before=before)

    async def delete_ended(_: datetime) -> None:
        await delete_ended_jobs(queue)

    async def take_over(_: datetime) -> None:
        await take_over_stalled_jobs(queue, parts.connections)

    async def rescue(_: datetime) -> None:
        async with parts.connections.connection() as connection:
            await rescue_lost_posts(connection)

    _add_duty(
        queue, "expired_uploads.close", close_expired, cron=EVERY_MINUTE, lane=HOUSEKEEPING_QUEUE
    )
    _add_duty(
        queue, "orphans.remove", remove_old_orphans, cron=EVERY_NIGHT, lane=HOUSEKEEPING_QUEUE
    )
    _add_duty(queue, "ended_jobs.forget", delete_ended, cron=EVERY_NIGHT)
    _add_duty(queue, "stalled_jobs.take_over", take_over, cron=EVERY_TEN_SECONDS)
    _add_duty(queue, "posts.rescue", rescue, cron=EVERY_MINUTE)


def _add_duty(
    queue: App,
    name: str,
    duty: Callable[[datetime], Awaitable[None]],
    *,
    cron: str,
    lane: str = DUTIES_QUEUE,
) -> None:
    """Register a duty that runs on a schedule; a run that is due while one waits is skipped."""
    # Elsewhere than in its own lane, a duty is one job among many, and never runs twice at once.
    shares_lane = lane != DUTIES_QUEUE

    @queue.periodic(cron=cron)
    @queue.task(
        name=name,
        queue=lane,
        queueing_lock=name,
        lock=name if shares_lane else None,
        priority=DUTY_PRIORITY if shares_lane else 0,
    )
    async def run(timestamp: int) -> None:
        _log.debug("duty", name=name, tick=timestamp)
        await duty(datetime.fromtimestamp(timestamp, UTC))
