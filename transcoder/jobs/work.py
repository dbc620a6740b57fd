"""Work: one attempt at one job of a post, and how it failed."""

from datetime import datetime
from typing import Final, Protocol
from uuid import UUID, uuid4

from msgspec import Struct

from domain.commands import Command, Origin
from domain.events import Stage
from domain.formats import ContentType
from domain.post import Post
from transcoder.errors import MAX_ATTEMPTS, TranscoderError
from transcoder.queue.queued_jobs import WORKER_LOST
from transcoder.rendering import Rendering

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

    def is_retried_after(self, error: TranscoderError) -> bool:
        """Whether another attempt follows this one, which failed with `error`."""
        failed = self.failures.get(error.code, 0) + 1
        return error.retryable and failed < error.max_attempts

    def has_lost_workers(self) -> bool:
        """Whether so many attempts took their worker process down that no other may start."""
        return self.failures.get(WORKER_LOST, 0) >= MAX_ATTEMPTS

    def origin(self, *, at: datetime) -> Origin:
        """The origin of a command issued by this attempt at a time."""
        return Origin(
            command_id=uuid4(),
            actor=ACTOR,
            at=at,
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
        )


class Failure(Struct, frozen=True, kw_only=True):
    """Why an attempt failed: in which stage, and with the post as the attempt found it.

    Both are None if the attempt failed outside any stage.
    """

    error: TranscoderError
    stage: Stage | None = None
    post: Post | None = None


class PostJob(Protocol):
    """One kind of job: what it does, and which command records that it failed for good."""

    async def run(self, work: Work) -> None:
        """Do the job, or return if nothing is left to do. Any exception is a failed attempt."""
        ...

    def failure_command(self, failure: Failure, *, work: Work) -> Command | None:
        """The command that records a final failure; None to retry until the job succeeds."""
        ...


class Renderer(Protocol):
    """Turns the bytes of an original into variants."""

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        """Render all variants of one original.

        Raises:
            TranscoderError: the original cannot be rendered, now or ever.
        """
        ...
