"""Work: one attempt at one job of a post, and what every kind of such work shares."""

from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol
from uuid import UUID, uuid4

from anyio import CapacityLimiter, to_thread
from msgspec import Struct
from opentelemetry import trace

from domain.commands import Command, Origin
from domain.event_store.publishing import Outcome, Publishing
from domain.formats import ContentType
from domain.post import Post
from transcoder.errors import MAX_ATTEMPTS, TranscoderError
from transcoder.queue.queued_jobs import WORKER_LOST
from transcoder.rendering import Rendering

_tracer = trace.get_tracer(__name__)
ACTOR: Final = "system:transcoder"


class Work(Struct, frozen=True, kw_only=True):
    """One attempt at one job; `attempt` counts from 1.

    `failures` counts the earlier attempts that failed, by code; those that were interrupted or
    found no database are not counted.
    """

    post_id: UUID
    correlation_id: UUID
    causation_id: UUID
    attempt: int
    failures: dict[str, int] = {}

    def is_tried_again(self, failure: TranscoderError) -> bool:
        """Whether another attempt is worth while after this one has met `failure`."""
        met = self.failures.get(failure.code, 0) + 1
        return failure.retryable and met < failure.max_attempts

    def loses_workers(self) -> bool:
        """Whether attempt after attempt took its whole worker down: there is not to be another."""
        return self.failures.get(WORKER_LOST, 0) >= MAX_ATTEMPTS

    def origin(self) -> Origin:
        """The origin of a command that this attempt gives."""
        return Origin(
            command_id=uuid4(),
            actor=ACTOR,
            at=datetime.now(UTC),
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
        )


class Renderer(Protocol):
    """Turns the bytes of an original into variants; the pool does."""

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        """All variants of one original, or a TranscoderError that says why not."""
        ...


class EventStore:
    """The writer, off the event loop; a few threads are plenty, as appends take turns anyway."""

    def __init__(self, publishing: Publishing) -> None:
        self._publishing = publishing
        self._threads = CapacityLimiter(4)

    async def post(self, post_id: UUID) -> Post:
        """See `Publishing.post`."""
        return await to_thread.run_sync(self._publishing.post, post_id, limiter=self._threads)

    async def execute(self, command: Command, *, known: Post | None = None) -> Outcome:
        """See `Publishing.execute`."""
        execute = partial(self._publishing.execute, command, known=known)
        with _tracer.start_as_current_span("append"):
            return await to_thread.run_sync(execute, limiter=self._threads)
