"""An attempt at a job: the one place that turns whatever it raises into a retry or a command.

No photo and no bug keeps a job for ever: every failure has a limit of attempts, after which the
job's own command records it. Failures that are not the photo's are retried without being counted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
import psycopg
import structlog
from procrastinate.jobs import Job
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from structlog.contextvars import bound_contextvars

from domain.errors import (
    EventStoreUnavailable,
    PostNotFound,
    PostNotProcessing,
    PostNotPublished,
)
from domain.events import Stage
from domain.post import Post
from transcoder.async_publishing import AsyncPublishing
from transcoder.errors import NoSlotFree, TranscoderError, UnexpectedFailure
from transcoder.jobs.metrics import count_failed_attempt, count_final_failure
from transcoder.jobs.stages import FailedInStage
from transcoder.jobs.tracing import attempt_span
from transcoder.jobs.work import Failure, PostJob, Work
from transcoder.queue.queued_jobs import note_failure

NOTE_WITHIN_SECONDS: Final = 2.0

_log = structlog.get_logger(__name__)


async def attempt(
    job: Job,
    post_job: PostJob,
    *,
    publishing: AsyncPublishing,
    connections: AsyncConnectionPool[AsyncConnection[object]],
) -> None:
    """Run a job of the queue once; a failed attempt is noted in its row.

    Raises:
        TranscoderError, EventStoreUnavailable, NoSlotFree: the queue must retry the job.
    """
    work = _work_of(job)
    with _job_context(job.task_name, work):
        try:
            await run_or_record_failure(post_job, work, publishing)
        except TranscoderError as error:
            _log.warning("attempt_failed", code=error.code)
            count_failed_attempt(code=error.code)
            await _note(connections, job, error)
            raise


async def run_or_record_failure(post_job: PostJob, work: Work, publishing: AsyncPublishing) -> None:
    """Do the work, or record why it failed for good.

    Raises:
        TranscoderError, EventStoreUnavailable, NoSlotFree: the job must be retried.
    """
    if work.has_lost_workers() and await _record(
        Failure(error=UnexpectedFailure()), post_job, work, publishing
    ):
        return
    failure = await _failure_of(post_job, work)
    if failure is None:
        return
    if work.is_retried_after(failure.error) or not await _record(
        failure, post_job, work, publishing
    ):
        raise failure.error


async def _failure_of(post_job: PostJob, work: Work) -> Failure | None:
    """Do the work; None if it is done or if its post needs it no more."""
    error: Exception
    stage: Stage | None = None
    post: Post | None = None
    try:
        await post_job.run(work)
    except FailedInStage as failed:
        error = failed.error
        stage = failed.stage
        post = failed.post
    except Exception as raised:  # noqa: BLE001 - the worker's loop: whatever breaks becomes an event
        error = raised
    else:
        return None
    match error:
        case EventStoreUnavailable() | NoSlotFree():
            raise error
        case PostNotFound() | PostNotProcessing() | PostNotPublished():
            _log.info("post_gone", reason=str(error))
            return None
        case UnexpectedFailure():
            _log.error("attempt_broke", stage=stage, exc_info=error)
            return Failure(error=error, stage=stage, post=post)
        case TranscoderError():
            return Failure(error=error, stage=stage, post=post)
        case _:
            _log.error("attempt_broke", stage=stage, exc_info=error)
            return Failure(error=UnexpectedFailure(), stage=stage, post=post)


async def _record(
    failure: Failure, post_job: PostJob, work: Work, publishing: AsyncPublishing
) -> bool:
    """Record a final failure; False if this kind of job is never given up."""
    command = post_job.failure_command(failure, work=work)
    if command is None:
        return False
    try:
        outcome = await publishing.execute(command)
    except PostNotFound as gone:
        _log.info("post_gone", reason=str(gone))
        return True
    for event in outcome.events:
        count_final_failure(event, attempt=work.attempt)
        _log.warning("gave_up", code=failure.error.code, stage=failure.stage)
    return True


def _work_of(job: Job) -> Work:
    return msgspec.convert({**job.task_kwargs, "attempt": job.attempts + 1}, Work)


@contextmanager
def _job_context(name: str, work: Work) -> Iterator[None]:
    """Bind the job's ids to every log line, and open its span."""
    ids = bound_contextvars(
        post_id=str(work.post_id), correlation_id=str(work.correlation_id), attempt=work.attempt
    )
    with ids, attempt_span(name, work):
        yield


async def _note(
    connections: AsyncConnectionPool[AsyncConnection[object]], job: Job, error: TranscoderError
) -> None:
    """Note the failure in the job's row, where operators and the next attempt read it."""
    try:
        async with connections.connection(timeout=NOTE_WITHIN_SECONDS) as connection:
            await note_failure(connection, job.id or 0, error.code)
    except psycopg.Error as lost:
        _log.warning("failure_not_noted", error=str(lost))
