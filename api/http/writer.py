"""The writer: carries out commands off the event loop, and answers only when reads agree.

What an answer has said is never contradicted by a read that starts after it: before a write is
answered, the read tables are brought past its position.
"""

import math
import time
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

from api.http.errors import NotYetReadable, TranscodeQueueFull
from api.telemetry import trace_appends
from domain.commands import Command
from domain.errors import PostNotFound, QueueFull
from domain.event_store.mapper import UnreadableEvent
from domain.event_store.publishing import Outcome, Publishing
from domain.post import Post
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from transcoder.async_publishing import AsyncPublishing
from transcoder.queue.depth import seconds_per_post

VISIBLE_WITHIN_SECONDS: Final = 5.0
APPEND_WITHIN_SECONDS: Final = 10.0
# Refusing costs nothing when many are refused.
PACE_HOLDS_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60
# Nobody works just now, or never has yet.
UNKNOWN_PAUSE_SECONDS: Final = 10

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

    async def own_post(self, post_id: UUID, *, user_id: UUID) -> Post:
        """The post of this user as its events tell it.

        Raises:
            PostNotFound: there is none, or not of this user, and no later read shows it.
        """
        bind_contextvars(post_id=str(post_id))
        post = await self._publishing.post(post_id)
        if post.user_id != user_id:
            raise PostNotFound(post_id)
        if post.status == "deleted":
            await self._make_visible(None)
            raise PostNotFound(post_id)
        return post

    async def execute(
        self, command: Command, *, known: Post | None = None, queue_capacity: int | None = None
    ) -> Outcome:
        """Carry out a command and return when every later read shows what it did.

        Raises:
            DomainError: the command cannot be carried out; nothing was stored.
            TranscodeQueueFull: nor can its job be queued; nothing was stored.
            NotYetReadable: it is stored, and reads do not show it yet.
        """
        # Whatever this request logs from here on says which post it is about.
        bind_contextvars(post_id=str(command.post_id))
        started = time.time_ns()
        try:
            outcome = await self._publishing.execute(
                command, known=known, queue_capacity=queue_capacity
            )
        except PostNotFound:
            # Somebody else has just deleted it: no read may show it after this answer either.
            await self._make_visible(None)
            raise
        except QueueFull as error:
            seconds = await self._seconds_until_room(error.capacity)
            raise TranscodeQueueFull(capacity=error.capacity, seconds=seconds) from error
        if trace.get_current_span().is_recording():
            trace_appends(outcome.events, started=started)
        await self._make_visible(outcome.position)
        return outcome

    async def _seconds_until_room(self, capacity: int) -> int:
        """When half of the queue should be empty: room for many, and work for the workers."""
        now = anyio.current_time()
        if now >= self._pace_known_until:
            async with self._connections.connection() as connection:
                self._pace = await seconds_per_post(connection)
            self._pace_known_until = now + PACE_HOLDS_SECONDS
        if self._pace is None:
            return UNKNOWN_PAUSE_SECONDS
        return min(max(1, math.ceil(self._pace * capacity / 2)), LONGEST_PAUSE_SECONDS)

    async def _make_visible(self, position: int | None) -> None:
        """Bring the read tables past `position`, or past all that is stored now."""
        try:
            with anyio.fail_after(VISIBLE_WITHIN_SECONDS):
                await catch_up(self._connections, POSTS, position=position)
        except (TimeoutError, UnreadableEvent, psycopg.Error) as error:
            _log.exception("not_yet_readable", position=position)
            raise NotYetReadable from error
