"""The reprocess job: renders a published post's original again with the current recipes.

One event replaces all variants at once. A failure leaves the post as it is and is recorded.
"""

import anyio
import structlog

from domain.commands import FailReprocessing, ReprocessPost
from domain.post import Post
from domain.recipes import RECIPE_VERSION, VariantName
from domain.variants import StoredVariant
from transcoder.async_publishing import AsyncPublishing
from transcoder.errors import first_failure
from transcoder.jobs.metrics import count_reprocessed
from transcoder.jobs.stages import Stages
from transcoder.jobs.work import Failure, Renderer, Work
from transcoder.object_store.transfer import Transfer
from transcoder.rendering import RenderedVariant, Rendering

_log = structlog.get_logger(__name__)


class Reprocessing:
    """What all reprocess jobs share; they may run concurrently."""

    def __init__(
        self, *, publishing: AsyncPublishing, transfer: Transfer, renderer: Renderer
    ) -> None:
        self._publishing = publishing
        self._transfer = transfer
        self._renderer = renderer

    async def run(self, work: Work) -> None:
        """Replace the variants of a published post that has older ones."""
        post = await self._publishing.post(work.post_id)
        if post.status != "published" or post.recipe_version >= RECIPE_VERSION:
            _log.info("nothing_to_do", status=post.status, recipe_version=post.recipe_version)
            return
        if await self._replace(post, work):
            count_reprocessed(code="")
            _log.info("reprocessed", recipe_version=RECIPE_VERSION)

    def failure_command(self, failure: Failure, *, work: Work) -> FailReprocessing:
        """Record that the post keeps its variants, and why."""
        return FailReprocessing(
            origin=work.origin(at=self._publishing.now()),
            post_id=work.post_id,
            code=failure.error.code,
            message=failure.error.message,
            recipe_version=RECIPE_VERSION,
        )

    async def _replace(self, post: Post, work: Work) -> bool:
        """Whether this attempt replaced the variants."""
        stages = Stages(post, now=self._publishing.now())
        with stages.enter("download"):
            original = await self._transfer.download(post)
        with stages.enter("render"):
            rendering = await self._renderer.render(original, content_type=post.content_type)
        with stages.enter("upload"):
            variants = await self._store(post, rendering)
        command = ReprocessPost(
            origin=work.origin(at=self._publishing.now()),
            post_id=post.id,
            variants=variants,
            blurhash=rendering.blurhash,
            dominant_colour=rendering.dominant_colour,
        )
        with stages.enter("record"):
            return bool((await self._publishing.execute(command, known=post)).events)

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
