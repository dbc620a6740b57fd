"""The reprocess job: a published post's original once more through today's recipes.

Its variants are replaced all at once, by one event, and until then stay what they were. Whatever
goes wrong leaves the post as it is, and is recorded with a reason.
"""

import anyio
import structlog

from domain.commands import LeaveVariants, ReplaceVariants
from domain.errors import PostNotFound, PostNotPublished
from domain.post import Post
from domain.recipes import RECIPE_VERSION, VariantName
from domain.variants import StoredVariant
from transcoder.errors import TranscoderError, UnexpectedTrouble, first_failure
from transcoder.jobs.metrics import count_reprocessed
from transcoder.jobs.work import EventStore, Renderer, Work
from transcoder.object_store.transfer import Transfer
from transcoder.rendering import RenderedVariant, Rendering

_log = structlog.get_logger(__name__)


class Reprocessing:
    """Everything that reprocess jobs share; its jobs may run concurrently."""

    def __init__(self, *, events: EventStore, transfer: Transfer, renderer: Renderer) -> None:
        self._events = events
        self._transfer = transfer
        self._renderer = renderer

    async def run(self, work: Work) -> None:
        """Replace the variants or record why not; leave quietly when nothing is left to do.

        Raises:
            TranscoderError: this attempt failed and another one may succeed.
        """
        post = await self._events.post(work.post_id)
        if post.status != "published" or post.recipe_version >= RECIPE_VERSION:
            _log.info("nothing_to_do", status=post.status, recipe_version=post.recipe_version)
            return
        if work.loses_workers():
            await self._give_up(UnexpectedTrouble(), work=work)
            return
        try:
            if await self._replace(post, work):
                count_reprocessed(code="")
                _log.info("reprocessed", recipe_version=RECIPE_VERSION)
        except (PostNotFound, PostNotPublished) as gone:
            _log.info("post_gone", reason=str(gone))
        except TranscoderError as failure:
            await self.give_up_or_raise(failure, work=work)

    async def give_up_or_raise(self, failure: TranscoderError, *, work: Work) -> None:
        """Record a failure that is final; hand any other back for the next attempt.

        Raises:
            TranscoderError: `failure` itself, when another attempt may succeed.
        """
        if work.is_tried_again(failure):
            raise failure
        await self._give_up(failure, work=work)

    async def _give_up(self, failure: TranscoderError, *, work: Work) -> None:
        command = LeaveVariants(
            origin=work.origin(),
            post_id=work.post_id,
            code=failure.code,
            message=failure.message,
            recipe_version=RECIPE_VERSION,
        )
        if (await self._events.execute(command)).events:
            count_reprocessed(code=failure.code)
            _log.warning("not_reprocessed", code=failure.code)

    async def _replace(self, post: Post, work: Work) -> bool:
        """Whether it was this attempt that replaced them."""
        original = await self._transfer.download(post)
        rendering = await self._renderer.render(original, content_type=post.content_type)
        command = ReplaceVariants(
            origin=work.origin(),
            post_id=post.id,
            variants=await self._store(post, rendering),
            blurhash=rendering.blurhash,
            dominant_colour=rendering.dominant_colour,
        )
        return bool((await self._events.execute(command, known=post)).events)

    async def _store(self, post: Post, rendering: Rendering) -> tuple[StoredVariant, ...]:
        """Store the variants in parallel."""
        stored: dict[VariantName, StoredVariant] = {}

        async def store(variant: RenderedVariant) -> None:
            stored[variant.name] = await self._transfer.store_variant(post, variant)

        try:
            async with anyio.create_task_group() as uploads:
                for variant in rendering.variants:
                    uploads.start_soon(store, variant)
        except ExceptionGroup as group:
            raise first_failure(group) from group
        return tuple(stored[variant.name] for variant in rendering.variants)
