"""Interventions: an operator retries a failed post, or cancels the work on one."""

from typing import Final
from uuid import UUID

from psycopg import AsyncConnection

from domain.commands import FailPost, Origin, RetryPost
from domain.jobs import Lane
from transcoder.async_publishing import AsyncPublishing
from transcoder.queue.queued_jobs import cancel_jobs, waiting_jobs

_CANCELLED: Final = "Publishing was cancelled. The photo can be retried."


async def retry_post(
    publishing: AsyncPublishing, post_id: UUID, *, origin: Origin, lane: Lane = "live"
) -> None:
    """Retry a failed post; in the bulk lane it delays no live post.

    Raises:
        DomainError: the post has not failed, or does not exist.
    """
    command = RetryPost(origin=origin, post_id=post_id, user_id=None)
    await publishing.execute(command, lane=lane)


async def cancel_post(
    connection: AsyncConnection[object],
    publishing: AsyncPublishing,
    post_id: UUID,
    *,
    origin: Origin,
    attempt: int,
) -> bool:
    """Mark a queued or running post as failed; False if it was not processing.

    A queued job leaves the queue; the result of a running one is discarded.

    Raises:
        DomainError: the post does not exist.
    """
    # Read first: a retry may queue another job as soon as the post has failed.
    job_ids = await waiting_jobs(connection, post_id)
    command = FailPost(
        origin=origin,
        post_id=post_id,
        code="cancelled",
        message=_CANCELLED,
        stage=None,
        attempt=attempt,
    )
    outcome = await publishing.execute(command)
    if outcome.events:
        await cancel_jobs(connection, job_ids)
    return bool(outcome.events)
