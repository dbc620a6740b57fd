"""Queued jobs: enqueue one, count its failures, requeue or cancel it.

Each act is one SQL function beside this module, and only those call the queue library's own
functions, whose names change from release to release.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from domain.jobs import TRANSCODE_TASK, Job, lock_of

# The failure of an attempt whose worker died or stalled; noted by whoever takes the job over.
WORKER_LOST: Final = "worker_lost"

# A session that is stuck with one job must not hold up all the others.
LOCKED_FOR: Final = "1s"

_LIMIT_LOCK: Final = "SELECT set_config('lock_timeout', %(limit)s, true)"
_ENQUEUE: Final = "SELECT enqueue_job(%(job)s)"
_NOTE_FAILURE: Final = "SELECT note_failure(%(job_id)s, %(code)s)"
_REQUEUE: Final = "SELECT requeue_job(%(job_id)s)"
_CANCEL: Final = "SELECT cancel_job(%(job_id)s)"
_WAITING: Final = """
SELECT id FROM procrastinate_jobs
WHERE lock = %(lock)s AND task_name = %(task_name)s AND status = 'todo'
"""
# Only of posts: a duty that is lost comes again by itself.
_LOST: Final = """
SELECT job.id AS job_id, job.args ->> 'post_id' AS post_id
FROM procrastinate_jobs AS job
WHERE job.status = 'doing' AND job.args ? 'post_id' AND NOT EXISTS (
    SELECT FROM procrastinate_events AS event
    WHERE event.job_id = job.id AND event.type = 'started' AND event.at > now() - %(idle_for)s
)
"""


class LostJob(Struct, frozen=True, kw_only=True):
    """A job of a post that has been running for longer than any attempt takes."""

    job_id: int
    post_id: str


async def enqueue(connection: AsyncConnection[object], job: Job) -> None:
    """Queue a job with its user's fair share of the lane."""
    await connection.execute(_ENQUEUE, {"job": Jsonb(msgspec.to_builtins(job))})


async def note_failure(connection: AsyncConnection[object], job_id: int, code: str) -> None:
    """Count a failed attempt of a job, and keep why it failed for operators."""
    await connection.execute(_NOTE_FAILURE, {"job_id": job_id, "code": code})


async def requeue_lost(connection: AsyncConnection[object], job_id: int) -> None:
    """Count the lost worker as a failure of its job, and make the job due, or do neither.

    Raises:
        psycopg.Error: the job is not running any more, is locked by another session for longer than
            `LOCKED_FOR`, or cannot go back to its queue.
    """
    async with connection.transaction():
        await connection.execute(_LIMIT_LOCK, {"limit": LOCKED_FOR})
        await note_failure(connection, job_id, WORKER_LOST)
        await connection.execute(_REQUEUE, {"job_id": job_id})


async def lost_jobs(connection: AsyncConnection[object], *, idle_for: timedelta) -> list[LostJob]:
    """Jobs of posts that were started longer than `idle_for` ago and have not ended."""
    cursor = connection.cursor(row_factory=class_row(LostJob))
    return await (await cursor.execute(_LOST, {"idle_for": idle_for})).fetchall()


async def waiting_jobs(connection: AsyncConnection[object], post_id: UUID) -> list[int]:
    """The ids of a post's transcode jobs that are waiting."""
    cursor = connection.cursor(row_factory=scalar_row)
    parameters = {"lock": lock_of(post_id), "task_name": TRANSCODE_TASK}
    return await (await cursor.execute(_WAITING, parameters)).fetchall()


async def cancel_jobs(connection: AsyncConnection[object], job_ids: Iterable[int]) -> None:
    """Delete those of these jobs that are still waiting, which frees their room in the queue."""
    for job_id in job_ids:
        await connection.execute(_CANCEL, {"job_id": job_id})
