"""The writer: executes commands off the event loop, and returns once reads show their effect.

Read your writes: before a write is answered, the read tables are projected past its position, so no
later read contradicts the response.
"""

import math
import time
from datetime import datetime
from typing import Final
from uuid import UUID

import anyio
import psycopg
import structlog
from anyio import CapacityLimiter
from opentelemetry import trace
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from structlog.contextvars import bind_contextvars

from api.http.errors import NotYetReadable, TooManyWaitingPhotos, TranscodeQueueFull
from api.telemetry import trace_appends
from domain.commands import Command
from domain.errors import PostNotFound, QueueFull, UserQueueFull
from domain.event_store.mapper import UnreadableEvent
from domain.event_store.publishing import Outcome, Publishing
from domain.events import Event
from domain.post import Post
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from transcoder.async_publishing import AsyncPublishing
from transcoder.queue.depth import seconds_per_post

VISIBLE_WITHIN_SECONDS: Final = 5.0
APPEND_WITHIN_SECONDS: Final = 10.0
# While the queue is full, the pace of the workers is read once per second, not per request.
PACE_CACHED_SECONDS: Final = 1.0
MAX_RETRY_AFTER_SECONDS: Final = 60
# For when no worker has published anything lately.
DEFAULT_RETRY_AFTER_SECONDS: Final = 10

_log = structlog.get_logger(__name__)


class Writer:
    """The API's way into the event store; safe for concurrent requests."""

    def __init__(
        self,
        publishing: Publishing,
        connections: AsyncConnectionPool[AsyncConnection[object]],
        *,
        pool_size: int,
    ) -> None:
        self._publishing = AsyncPublishing(
            publishing,
            limiter=CapacityLimiter(pool_size),
            timeout_seconds=APPEND_WITHIN_SECONDS,
        )
        self._connections = connections
        self._pace: float | None = None
        self._pace_known_until = -math.inf

    def now(self) -> datetime:
        """The time by the database's clock; see `Publishing.now`."""
        return self._publishing.now()

    async def own_post(self, post_id: UUID, *, user_id: UUID) -> Post:
        """Fold this user's post from its events.

        Raises:
            PostNotFound: it does not exist or belongs to another user; no later read shows it.
        """
        bind_contextvars(post_id=str(post_id))
        post = await self._publishing.post(post_id)
        if post.user_id != user_id:
            raise PostNotFound(post_id)
        if post.status == "deleted":
            await self._make_visible(None)
            raise PostNotFound(post_id)
        return post

    async def history(self, post_id: UUID) -> list[Event]:
        """The events of a post, which every later read shows; none if there is no such post."""
        bind_contextvars(post_id=str(post_id))
        events = await self._publishing.history(post_id)
        if events:
            await self._make_visible(None)
        return events

    async def execute(
        self,
        command: Command,
        *,
        known: Post | None = None,
        expected_version: int | None = None,
        queue_capacity: int | None = None,
    ) -> Outcome:
        """Execute a command and return once every later read shows its effect.

        Raises:
            DomainError: the command is refused; nothing is stored.
            TranscodeQueueFull, TooManyWaitingPhotos: its job cannot be queued; nothing is stored.
            NotYetReadable: the change is stored, but reads do not show it yet.
        """
        # From here on, all log lines of this request carry the id of the post.
        bind_contextvars(post_id=str(command.post_id))
        started = time.time_ns()
        try:
            outcome = await self._publishing.execute(
                command,
                known=known,
                expected_version=expected_version,
                queue_capacity=queue_capacity,
            )
        except PostNotFound:
            # Just deleted by another request: no read may show it after this response.
            await self._make_visible(None)
            raise
        except QueueFull as error:
            seconds = await self._estimate_retry_after(error.capacity)
            raise TranscodeQueueFull(capacity=error.capacity, seconds=seconds) from error
        except UserQueueFull as error:
            seconds = await self._estimate_retry_after(error.capacity)
            raise TooManyWaitingPhotos(capacity=error.capacity, seconds=seconds) from error
        if trace.get_current_span().is_recording():
            trace_appends(outcome.events, started=started)
        await self._make_visible(outcome.position)
        return outcome

    async def _estimate_retry_after(self, capacity: int) -> int:
        """Seconds until half of the queue should be empty: workers never idle meanwhile."""
        now = anyio.current_time()
        if now >= self._pace_known_until:
            async with self._connections.connection() as connection:
                self._pace = await seconds_per_post(connection)
            self._pace_known_until = now + PACE_CACHED_SECONDS
        if self._pace is None:
            return DEFAULT_RETRY_AFTER_SECONDS
        return min(max(1, math.ceil(self._pace * capacity / 2)), MAX_RETRY_AFTER_SECONDS)

    async def _make_visible(self, position: int | None) -> None:
        """Project past `position`, or past everything that is stored now."""
        try:
            with anyio.fail_after(VISIBLE_WITHIN_SECONDS):
                await catch_up(self._connections, POSTS, position=position)
        except (TimeoutError, UnreadableEvent, psycopg.Error) as error:
            _log.exception("not_yet_readable", position=position)
            raise NotYetReadable from error
