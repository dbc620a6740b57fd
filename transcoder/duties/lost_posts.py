"""Lost posts: posts that are processing, but whose job has stopped or is gone, are queued again.

Normally there are none. Each is queued on its own: one that the database refuses is logged as an
error, and stops no other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID

import psycopg
import structlog
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import class_row

from domain.jobs import transcode_job
from transcoder.queue.queued_jobs import enqueue, lost_jobs, requeue_lost

# No attempt takes this long, however slow the object store is.
LOST_AFTER: Final = timedelta(minutes=15)

# Defined beside the read table that it reads.
_WITHOUT_JOB: Final = "SELECT * FROM posts_without_job(%(idle_for)s)"

_log = structlog.get_logger(__name__)


class _LostPost(Struct, frozen=True, kw_only=True):
    post_id: UUID
    user_id: UUID
    correlation_id: UUID
    causation_id: UUID


async def rescue_lost_posts(
    connection: AsyncConnection[object], *, idle_for: timedelta = LOST_AFTER
) -> None:
    """Queue every job and every post that has been idle for this long; `connection` autocommits.

    Raises:
        psycopg.OperationalError: the connection is lost.
    """
    for lost in await lost_jobs(connection, idle_for=idle_for):
        with _logging(connection, lost.post_id):
            await requeue_lost(connection, lost.job_id)
    for post in await _without_job(connection, idle_for=idle_for):
        with _logging(connection, str(post.post_id)):
            job = transcode_job(
                post.post_id,
                post.user_id,
                correlation_id=post.correlation_id,
                causation_id=post.causation_id,
            )
            await enqueue(connection, job)


@contextmanager
def _logging(connection: AsyncConnection[object], post_id: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error:
        if connection.broken:
            raise
        _log.exception("post_not_rescued", post_id=post_id)
    else:
        _log.warning("rescued_post", post_id=post_id)


async def _without_job(
    connection: AsyncConnection[object], *, idle_for: timedelta
) -> list[_LostPost]:
    async with connection.cursor(row_factory=class_row(_LostPost)) as cursor:
        await cursor.execute(_WITHOUT_JOB, {"idle_for": idle_for})
        return await cursor.fetchall()
