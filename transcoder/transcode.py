"""The transcode job: one uploaded original in, three stored variants and their events out.

Whatever goes wrong ends in another attempt or in `post.failed` with a message for people. A job
may run any number of times, also twice at once: variants have the names of their bytes, and the
event store takes each of them once.
"""

import time
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol, TypeAlias
from uuid import UUID, uuid4

import anyio
import stamina
import structlog
from anyio import CapacityLimiter, to_thread
from anyio.streams.memory import MemoryObjectSendStream
from msgspec import Struct, to_builtins

from domain.commands import Command, FailPost, Origin, RecordVariant
from domain.errors import PostNotFound, PostNotProcessing
from domain.events import Stage, StageTimes
from domain.formats import ContentType
from domain.keys import variant_key
from domain.post import Post
from domain.publishing import Outcome, Publishing
from domain.recipes import VARIANT_CONTENT_TYPE
from transcoder.errors import (
    MAX_ATTEMPTS,
    ObjectStoreUnavailable,
    TranscoderError,
    UnexpectedTrouble,
    first_failure,
)
from transcoder.object_store import IMMUTABLE, Announced, NewObject, ObjectStore
from transcoder.rendering import RenderedVariant, Rendering

ACTOR: Final = "system:transcoder"

_log = structlog.get_logger(__name__)
_retry_object_store = stamina.retry(
    on=ObjectStoreUnavailable, attempts=4, timeout=None, wait_initial=1.0, wait_max=5.0
)


# A variant and the key that it is stored under.
Stored: TypeAlias = tuple[str, RenderedVariant]


class Work(Struct, frozen=True, kw_only=True):
    """One attempt at one job; `attempt` counts from 1."""

    post_id: UUID
    correlation_id: UUID
    causation_id: UUID
    attempt: int


class Renderer(Protocol):
    """Turns the bytes of an original into variants; the pool does."""

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        """All variants of one original, or a TranscoderError that says why not."""
        ...


class Transcoding:
    """Everything that transcode jobs share; its jobs may run concurrently."""

    def __init__(self, *, publishing: Publishing, store: ObjectStore, renderer: Renderer) -> None:
        self._publishing = publishing
        self._store = store
        self._renderer = renderer
        # Appends take turns in the database anyway.
        self._event_store = CapacityLimiter(4)

    async def run(self, work: Work) -> None:
        """Publish the post or record why not; leave quietly when nothing is left to do.

        Raises:
            TranscoderError: this attempt failed and another one may succeed.
        """
        post = await self._load(work.post_id)
        if post.status != "processing":
            _log.info("nothing_to_do", post_id=str(post.id), status=post.status)
            return
        if work.attempt > MAX_ATTEMPTS:
            # Every attempt so far took its whole worker down: there will not be another.
            await self.give_up_or_raise(UnexpectedTrouble(), stage="render", work=work)
            return
        watch = _Watch(since=post.updated_at)
        stage: Stage = "download"
        try:
            original = await self._download(post)
            stage = watch.begin("render")
            rendering = await self._renderer.render(original, content_type=post.content_type)
            stage = watch.begin("upload")
            await self._publish(post, rendering, work=work, watch=watch)
            times = to_builtins(watch.times())
            _log.info("published", post_id=str(post.id), attempt=work.attempt, **times)
        except (PostNotFound, PostNotProcessing) as gone:
            _log.info("post_gone", post_id=str(post.id), reason=str(gone))
        except TranscoderError as failure:
            await self.give_up_or_raise(failure, stage=stage, work=work)

    async def give_up_or_raise(self, failure: TranscoderError, *, stage: Stage, work: Work) -> None:
        """Record a failure that is final; hand any other back for the next attempt.

        Raises:
            TranscoderError: `failure` itself, when another attempt may succeed.
        """
        if failure.retryable and work.attempt < failure.max_attempts:
            raise failure
        _log.warning("gave_up", post_id=str(work.post_id), code=failure.code, stage=stage)
        await self._execute(
            FailPost(
                origin=_origin(work),
                post_id=work.post_id,
                code=failure.code,
                message=failure.message,
                stage=stage,
                attempt=work.attempt,
            )
        )

    async def _load(self, post_id: UUID) -> Post:
        return await to_thread.run_sync(self._publishing.post, post_id, limiter=self._event_store)

    @_retry_object_store
    async def _download(self, post: Post) -> bytes:
        return await self._store.download(
            Announced(
                key=post.image_key,
                content_type=post.content_type,
                file_size=post.file_size,
                sha256=post.sha256,
            )
        )

    async def _publish(
        self, post: Post, rendering: Rendering, *, work: Work, watch: "_Watch"
    ) -> None:
        """Store the variants side by side, and record each as soon as it is stored."""
        announce, stored = anyio.create_memory_object_stream[Stored](len(rendering.variants))
        try:
            async with anyio.create_task_group() as uploads, stored:
                async with announce:
                    for variant in rendering.variants:
                        uploads.start_soon(self._store_variant, post, variant, announce.clone())
                async for key, variant in stored:
                    command = _record(
                        variant, key=key, rendering=rendering, work=work, stages=watch.times()
                    )
                    post = (await self._execute(command, known=post)).post
        except ExceptionGroup as group:
            raise first_failure(group) from group

    async def _store_variant(
        self, post: Post, variant: RenderedVariant, announce: MemoryObjectSendStream[Stored]
    ) -> None:
        async with announce:
            key = variant_key(post.id, variant.variant, sha256=variant.sha256)
            await self._put(_new_object(post, variant, key=key))
            await announce.send((key, variant))

    @_retry_object_store
    async def _put(self, new: NewObject) -> None:
        await self._store.put(new)

    async def _execute(self, command: Command, *, known: Post | None = None) -> Outcome:
        execute = partial(self._publishing.execute, command, known=known)
        return await to_thread.run_sync(execute, limiter=self._event_store)


class _Watch:
    """How long each stage takes: the wait in the queue, and from now on the download."""

    def __init__(self, *, since: datetime) -> None:
        self._queue_ms = max(0, round(1000 * (datetime.now(UTC) - since).total_seconds()))
        self._begun: dict[Stage, float] = {"download": time.monotonic()}

    def begin(self, stage: Stage) -> Stage:
        """From now on it is this stage."""
        self._begun[stage] = time.monotonic()
        return stage

    def times(self) -> StageTimes:
        """What every stage took so far."""
        begun = self._begun
        return StageTimes(
            queue_ms=self._queue_ms,
            download_ms=round(1000 * (begun["render"] - begun["download"])),
            transcode_ms=round(1000 * (begun["upload"] - begun["render"])),
            upload_ms=round(1000 * (time.monotonic() - begun["upload"])),
        )


def _record(
    variant: RenderedVariant, *, key: str, rendering: Rendering, work: Work, stages: StageTimes
) -> RecordVariant:
    return RecordVariant(
        origin=_origin(work),
        post_id=work.post_id,
        variant=variant.variant,
        key=key,
        width=variant.width,
        height=variant.height,
        file_size=len(variant.content),
        sha256=variant.sha256,
        quality=variant.quality,
        milliseconds=round(variant.milliseconds, 1),
        recipe_version=rendering.recipe_version,
        encoder=rendering.encoder,
        shrunk=variant.shrunk,
        removed_metadata=rendering.removed_metadata,
        blurhash=rendering.blurhash,
        dominant_colour=rendering.dominant_colour,
        stages=stages,
    )


def _new_object(post: Post, variant: RenderedVariant, *, key: str) -> NewObject:
    return NewObject(
        key=key,
        content=variant.content,
        content_type=VARIANT_CONTENT_TYPE,
        sha256=variant.sha256,
        cache_control=IMMUTABLE,
        metadata={
            "post-id": str(post.id),
            "variant": variant.variant,
            "width": str(variant.width),
            "height": str(variant.height),
        },
    )


def _origin(work: Work) -> Origin:
    return Origin(
        command_id=uuid4(),
        actor=ACTOR,
        at=datetime.now(UTC),
        correlation_id=work.correlation_id,
        causation_id=work.causation_id,
    )
