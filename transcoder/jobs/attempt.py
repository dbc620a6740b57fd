"""An attempt at a job: watched by logs and traces, noted for operators, and brought to an end.

The worker's loop is here: what a job raises that nobody expected becomes an event, after as many
attempts as anything else gets.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import msgspec
import psycopg
import structlog
from procrastinate.jobs import Job
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from structlog.contextvars import bound_contextvars

from domain.errors import EventStoreUnavailable
from transcoder.errors import NoSlotFree, TranscoderError, UnexpectedTrouble
from transcoder.jobs.metrics import count_failed_attempt
from transcoder.jobs.tracing import attempt_span
from transcoder.jobs.work import Work
from transcoder.queue.queued_jobs import note_failure

NOTE_WITHIN_SECONDS: Final = 2.0

_log = structlog.get_logger(__name__)


class Run(Protocol):
    """What the job does."""

    async def __call__(self, work: Work) -> None:
        """Raises TranscoderError if another attempt may succeed."""
        ...


class GiveUp(Protocol):
    """How the job ends when it cannot be done."""

    async def __call__(self, failure: TranscoderError, *, work: Work) -> None:
        """Record a failure that is final, or raise it."""
        ...


async def attempt(
    job: Job,
    connections: AsyncConnectionPool[AsyncConnection[object]],
    *,
    run: Run,
    give_up: GiveUp,
) -> None:
    """Run a job once.

    Raises:
        TranscoderError, EventStoreUnavailable, NoSlotFree: it is to be tried again.
    """
    work = work_of(job)
    with watched(job.task_name, work):
        try:
            await _run_or_give_up(work, run=run, give_up=give_up)
        except TranscoderError as failure:
            _log.warning("attempt_failed", code=failure.code)
            count_failed_attempt(code=failure.code)
            await _note(connections, job, failure)
            raise


def work_of(job: Job) -> Work:
    """What a job is to do."""
    return msgspec.convert({**job.task_kwargs, "attempt": job.attempts + 1}, Work)


@contextmanager
def watched(name: str, work: Work) -> Iterator[None]:
    """Every line that is logged meanwhile says what for, and the trace goes on."""
    ids = bound_contextvars(
        post_id=str(work.post_id), correlation_id=str(work.correlation_id), attempt=work.attempt
    )
    with ids, attempt_span(name, work):
        yield


async def _run_or_give_up(work: Work, *, run: Run, give_up: GiveUp) -> None:
    try:
        await run(work)
    except (TranscoderError, EventStoreUnavailable, NoSlotFree):
        raise
    except Exception:  # noqa: BLE001 - the worker's loop: whatever broke becomes an event
        _log.exception("attempt_broke")
        await give_up(UnexpectedTrouble(), work=work)


async def _note(
    connections: AsyncConnectionPool[AsyncConnection[object]], job: Job, failure: TranscoderError
) -> None:
    """Operators see why an attempt came to nothing, while its job waits for the next one."""
    try:
        async with connections.connection(timeout=NOTE_WITHIN_SECONDS) as connection:
            await note_failure(connection, job.id or 0, failure.code)
    except psycopg.OperationalError as error:
        _log.warning("failure_not_noted", error=str(error))
