"""The jobs desk: where operators look at unfinished posts, try them again and take them out."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

from anyio import CapacityLimiter
from msgspec import Struct
from psycopg import AsyncConnection

from api.cli.audit_session import cli_actor
from domain.commands import FailPost, Origin, RetryPost, origin_of_request
from domain.errors import PostNotFailed, PostNotFound
from domain.event_store.publishing import Publishing
from domain.jobs import Lane
from projections.connection import CONNECT_TIMEOUT_SECONDS
from projections.queries.unfinished import UnfinishedFilter, UnfinishedPost, unfinished_posts
from transcoder.async_publishing import AsyncPublishing
from transcoder.queue.queued_jobs import cancel_jobs, waiting_jobs

PAGE: Final = 200
APPEND_WITHIN_SECONDS: Final = 60.0
_CANCELLED: Final = "The photo was taken out of the queue. It can be tried again."


class JobsDesk(Struct, frozen=True):
    """A connection to look, and the writer."""

    connection: AsyncConnection[object]
    publishing: AsyncPublishing

    async def posts(self, asked: UnfinishedFilter) -> AsyncGenerator[UnfinishedPost]:
        """The unfinished posts as they are now, oldest first, page by page."""
        page = await unfinished_posts(self.connection, asked, limit=PAGE)
        while page:
            for post in page:
                yield post
            page = await unfinished_posts(self.connection, asked, limit=PAGE, after=page[-1])

    async def retry(self, post_id: UUID, *, lane: Lane = "live") -> None:
        """Try a failed post once more.

        Raises:
            DomainError: it has not failed, or there is none.
        """
        command = RetryPost(origin=_origin(), post_id=post_id, user_id=None)
        await self.publishing.execute(command, lane=lane)

    async def retry_in_bulk(self, post_id: UUID) -> bool:
        """The same where it makes no live post wait; False if it is not failed any more."""
        try:
            await self.retry(post_id, lane="bulk")
        except (PostNotFound, PostNotFailed):
            return False
        return True

    async def cancel(self, post_id: UUID) -> bool:
        """End a post that waits or is worked on: as failed, so that it can be tried again.

        A job that waits is taken out of the queue; one that runs comes to nothing. False if the
        post was not processing.

        Raises:
            DomainError: there is no such post.
        """
        # Not those that a retry queues meanwhile.
        job_ids = await waiting_jobs(self.connection, post_id)
        asked = UnfinishedFilter(post_id=post_id)
        found = await unfinished_posts(self.connection, asked, limit=1)
        outcome = await self.publishing.execute(
            FailPost(
                origin=_origin(),
                post_id=post_id,
                code="cancelled",
                message=_CANCELLED,
                stage=None,
                attempt=sum(post.attempts for post in found),
            )
        )
        if outcome.events:
            await cancel_jobs(self.connection, job_ids)
        return bool(outcome.events)


def _origin() -> Origin:
    return origin_of_request(actor=cli_actor(), at=datetime.now(UTC), correlation_id=uuid4())


@asynccontextmanager
async def open_jobs_desk(url: str) -> AsyncGenerator[JobsDesk]:
    """Open the database.

    Raises:
        psycopg.OperationalError: it does not answer.
    """
    async with await AsyncConnection.connect(
        url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS
    ) as connection:
        await connection.execute("SET TIME ZONE 'UTC'")
        with Publishing(url, pool_size=1) as publishing:
            limiter = CapacityLimiter(1)
            writer = AsyncPublishing(
                publishing, limiter=limiter, timeout_seconds=APPEND_WITHIN_SECONDS
            )
            yield JobsDesk(connection, writer)
