"""Async publishing: the one class in which async code calls the blocking event store.

It is not beside `Publishing` because nothing in `domain` may import anyio; the worker, the API and
the command line may all import this package.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

import anyio
from anyio import CapacityLimiter, to_thread

from domain.commands import Command
from domain.errors import EventStoreUnavailable
from domain.event_store.publishing import Outcome, Publishing
from domain.events import Event
from domain.jobs import Lane
from domain.post import Post

Result = TypeVar("Result")


class AsyncPublishing:
    """`Publishing`, called in threads; safe for concurrent tasks.

    Args:
        publishing: the blocking writer.
        limiter: how many calls run at once; the others wait.
        timeout_seconds: how long a call waits before `EventStoreUnavailable`, which then means that
            nothing was begun. A call that has begun is always waited for: its outcome is unknown
            until it ends, and the event store has timeouts of its own.
    """

    def __init__(
        self, publishing: Publishing, *, limiter: CapacityLimiter, timeout_seconds: float
    ) -> None:
        self._publishing = publishing
        self._limiter = limiter
        self._timeout_seconds = timeout_seconds

    async def post(self, post_id: UUID) -> Post:
        """See `Publishing.post`."""
        return await self._call(partial(self._publishing.post, post_id))

    async def history(self, post_id: UUID) -> list[Event]:
        """See `Publishing.history`."""
        return await self._call(partial(self._publishing.history, post_id))

    async def execute(
        self,
        command: Command,
        *,
        known: Post | None = None,
        expected_version: int | None = None,
        queue_capacity: int | None = None,
        lane: Lane = "live",
    ) -> Outcome:
        """See `Publishing.execute`."""
        return await self._call(
            partial(
                self._publishing.execute,
                command,
                known=known,
                expected_version=expected_version,
                queue_capacity=queue_capacity,
                lane=lane,
            )
        )

    def now(self) -> datetime:
        """See `Publishing.now`, which does not block."""
        return self._publishing.now()

    def connection_stats(self) -> dict[str, int]:
        """See `Publishing.connection_stats`, which does not block."""
        return self._publishing.connection_stats()

    async def _call(self, call: Callable[[], Result]) -> Result:
        try:
            with anyio.fail_after(self._timeout_seconds):
                return await to_thread.run_sync(call, limiter=self._limiter)
        except TimeoutError as error:
            raise EventStoreUnavailable("all threads are waiting for the database") from error
