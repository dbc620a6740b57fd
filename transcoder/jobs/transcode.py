"""The transcode job: one uploaded original in, three stored variants and their events out.

Whatever goes wrong ends in another attempt or in `post.failed` with a message for people. A job
may run any number of times, also twice at once: variants have the names of their bytes, and the
event store takes each of them once.
"""

import time
from datetime import UTC, datetime

import anyio
import structlog
from anyio.streams.memory import MemoryObjectSendStream
from msgspec import to_builtins

from domain.commands import FailPost, RecordVariant
from domain.errors import PostNotFound, PostNotProcessing
from domain.events import PostPublished, Stage, StageTimes
from domain.post import Post
from domain.variants import StoredVariant
from transcoder.errors import TranscoderError, UnexpectedTrouble, first_failure
from transcoder.jobs.metrics import count_failed, count_published
from transcoder.jobs.tracing import tracer
from transcoder.jobs.work import EventStore, Renderer, Work
from transcoder.object_store.transfer import Transfer
from transcoder.rendering import RenderedVariant, Rendering

_log = structlog.get_logger(__name__)


class Transcoding:
    """Everything that transcode jobs share; its jobs may run concurrently."""

    def __init__(self, *, events: EventStore, transfer: Transfer, renderer: Renderer) -> None:
        self._events = events
        self._transfer = transfer
        self._renderer = renderer

    async def run(self, work: Work) -> None:
        """Publish the post or record why not; leave quietly when nothing is left to do.

        Raises:
            TranscoderError: this attempt failed and another one may succeed.
        """
        post = await self._events.post(work.post_id)
        if post.status != "processing":
            _log.info("nothing_to_do", status=post.status)
            return
        if work.loses_workers():
            await self._give_up(UnexpectedTrouble(), stage="render", work=work, post=post)
            return
        watch = _Watch(since=post.updated_at)
        stage: Stage = "download"
        try:
            with tracer.start_as_current_span("download"):
                original = await self._transfer.download(post)
            stage = watch.begin("render")
            with tracer.start_as_current_span("render"):
                rendering = await self._renderer.render(original, content_type=post.content_type)
            stage = watch.begin("upload")
            with tracer.start_as_current_span("publish"):
                is_ours = await self._publish(post, rendering, work=work, watch=watch)
            times = to_builtins(watch.times())
            if is_ours:
                count_published(
                    attempt=work.attempt, stages_ms=times, steps_ms=rendering.step_milliseconds
                )
            _log.info("published" if is_ours else "published_elsewhere", **times)
        except (PostNotFound, PostNotProcessing) as gone:
            _log.info("post_gone", reason=str(gone))
        except TranscoderError as failure:
            await self.give_up_or_raise(failure, stage=stage, work=work, post=post)

    async def give_up_or_raise(
        self, failure: TranscoderError, *, stage: Stage, work: Work, post: Post | None = None
    ) -> None:
        """Record a failure that is final; hand any other back for the next attempt.

        `post` is as the attempt found it.

        Raises:
            TranscoderError: `failure` itself, when another attempt may succeed.
        """
        if work.is_tried_again(failure):
            raise failure
        await self._give_up(failure, stage=stage, work=work, post=post)

    async def _give_up(
        self, failure: TranscoderError, *, stage: Stage, work: Work, post: Post | None
    ) -> None:
        command = FailPost(
            origin=work.origin(),
            post_id=work.post_id,
            retries=None if post is None else post.retries,
            code=failure.code,
            message=failure.message,
            stage=stage,
            attempt=work.attempt,
        )
        if (await self._events.execute(command)).events:
            count_failed(attempt=work.attempt, code=failure.code)
            _log.warning("gave_up", code=failure.code, stage=stage)

    async def _publish(
        self, post: Post, rendering: Rendering, *, work: Work, watch: "_Watch"
    ) -> bool:
        """Store the variants side by side, and record each as soon as it is stored.

        Returns whether it was this attempt that published the post.
        """
        is_ours = False
        announce, stored = anyio.create_memory_object_stream[StoredVariant](len(rendering.variants))
        try:
            async with anyio.create_task_group() as uploads, stored:
                async with announce:
                    for variant in rendering.variants:
                        uploads.start_soon(self._store_variant, post, variant, announce.clone())
                async for ready in stored:
                    command = RecordVariant(
                        origin=work.origin(),
                        post_id=post.id,
                        variant=ready,
                        blurhash=rendering.blurhash,
                        dominant_colour=rendering.dominant_colour,
                        stages=watch.times(),
                    )
                    outcome = await self._events.execute(command, known=post)
                    post = outcome.post
                    is_ours |= any(isinstance(event, PostPublished) for event in outcome.events)
        except ExceptionGroup as group:
            raise first_failure(group) from group
        return is_ours

    async def _store_variant(
        self, post: Post, variant: RenderedVariant, announce: MemoryObjectSendStream[StoredVariant]
    ) -> None:
        async with announce:
            await announce.send(await self._transfer.store_variant(post, variant))


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
