"""The transcode job: one uploaded original in, its stored variants and their events out.

A job may run any number of times, also twice at once: variants are named after their bytes, and
the event store takes each of them once.
"""

import anyio
import structlog
from anyio.streams.memory import MemoryObjectSendStream
from msgspec import to_builtins

from domain.commands import FailPost, RecordVariant
from domain.events import PostPublished
from domain.post import Post
from domain.variants import StoredVariant
from transcoder.async_publishing import AsyncPublishing
from transcoder.errors import first_failure
from transcoder.jobs.metrics import count_published
from transcoder.jobs.stages import Stages
from transcoder.jobs.work import Failure, Renderer, Work
from transcoder.object_store.transfer import Transfer
from transcoder.rendering import RenderedVariant, Rendering

_log = structlog.get_logger(__name__)


class Transcoding:
    """What all transcode jobs share; they may run concurrently."""

    def __init__(
        self, *, publishing: AsyncPublishing, transfer: Transfer, renderer: Renderer
    ) -> None:
        self._publishing = publishing
        self._transfer = transfer
        self._renderer = renderer

    async def run(self, work: Work) -> None:
        """Publish the post, unless it is not processing any more."""
        post = await self._publishing.post(work.post_id)
        if post.status != "processing":
            _log.info("nothing_to_do", status=post.status)
            return
        stages = Stages(post, now=self._publishing.now())
        with stages.enter("download"):
            original = await self._transfer.download(post)
        with stages.enter("render"):
            rendering = await self._renderer.render(original, content_type=post.content_type)
        with stages.enter("upload"):
            is_ours = await self._publish(post, rendering, work=work, stages=stages)
        times = to_builtins(stages.times())
        if is_ours:
            count_published(
                attempt=work.attempt, stages_ms=times, steps_ms=rendering.step_milliseconds
            )
        _log.info("published" if is_ours else "published_elsewhere", **times)

    def failure_command(self, failure: Failure, *, work: Work) -> FailPost:
        """Fail the post, unless it was retried after this attempt began."""
        return FailPost(
            origin=work.origin(at=self._publishing.now()),
            post_id=work.post_id,
            retries=failure.post.retries if failure.post else None,
            code=failure.error.code,
            message=failure.error.message,
            stage=failure.stage,
            attempt=work.attempt,
        )

    async def _publish(
        self, post: Post, rendering: Rendering, *, work: Work, stages: Stages
    ) -> bool:
        """Store the variants in parallel, and record each as soon as it is stored.

        Returns whether this attempt published the post.
        """
        is_ours = False
        send, stored = anyio.create_memory_object_stream[StoredVariant](len(rendering.variants))
        try:
            async with anyio.create_task_group() as uploads, stored:
                async with send:
                    for variant in rendering.variants:
                        uploads.start_soon(self._store, post, variant, send.clone())
                async for ready in stored:
                    command = RecordVariant(
                        origin=work.origin(at=self._publishing.now()),
                        post_id=post.id,
                        variant=ready,
                        blurhash=rendering.blurhash,
                        dominant_colour=rendering.dominant_colour,
                        stages=stages.times(),
                    )
                    with stages.enter("record"):
                        outcome = await self._publishing.execute(command, known=post)
                    post = outcome.post
                    is_ours |= any(isinstance(event, PostPublished) for event in outcome.events)
        except ExceptionGroup as group:
            raise first_failure(group) from group
        return is_ours

    async def _store(
        self, post: Post, variant: RenderedVariant, send: MemoryObjectSendStream[StoredVariant]
    ) -> None:
        async with send:
            await send.send(await self._transfer.store_variant(post, variant))
