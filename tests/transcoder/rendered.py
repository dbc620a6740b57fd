"""A renderer that draws nothing: it answers with small variants, or with what goes wrong."""

import hashlib
from uuid import UUID, uuid4

from anyio import CapacityLimiter
from msgspec.structs import replace

from domain.event_store.publishing import Publishing
from domain.formats import ContentType
from domain.recipes import RECIPE_SETS
from transcoder.async_publishing import AsyncPublishing
from transcoder.jobs.attempt import run_or_record_failure
from transcoder.jobs.reprocess import Reprocessing
from transcoder.jobs.transcode import Transcoding
from transcoder.jobs.work import PostJob, Renderer, Work
from transcoder.object_store.protocol import ObjectStore
from transcoder.object_store.transfer import Transfer
from transcoder.rendering import RenderedVariant, Rendering


def in_threads(publishing: Publishing) -> AsyncPublishing:
    """The writer for the event loop."""
    return AsyncPublishing(publishing, limiter=CapacityLimiter(4), timeout_seconds=60)


class Attempts:
    """Attempts at one kind of job, without a queue."""

    def __init__(self, post_job: PostJob, publishing: Publishing) -> None:
        self._post_job = post_job
        self._publishing = publishing

    async def run(self, work: Work) -> None:
        """Make one; raises if the job must be retried."""
        await run_or_record_failure(self._post_job, work, in_threads(self._publishing))


def transcoding_with(publishing: Publishing, store: ObjectStore, renderer: Renderer) -> Attempts:
    """Transcode jobs around these."""
    transcoding = Transcoding(
        publishing=in_threads(publishing), transfer=Transfer(store), renderer=renderer
    )
    return Attempts(transcoding, publishing)


def reprocessing_with(publishing: Publishing, store: ObjectStore, renderer: Renderer) -> Attempts:
    """Reprocess jobs around these."""
    reprocessing = Reprocessing(
        publishing=in_threads(publishing), transfer=Transfer(store), renderer=renderer
    )
    return Attempts(reprocessing, publishing)


def next_attempt(post_id: UUID, **failures: int) -> Work:
    """The attempt that follows on so many which met these."""
    return Work(
        post_id=post_id,
        correlation_id=uuid4(),
        causation_id=uuid4(),
        attempt=1 + sum(failures.values()),
        failures=failures,
    )


class FakeRenderer:
    """Answers at once; `trouble` is raised instead, as often as it says."""

    def __init__(self) -> None:
        self.trouble: list[Exception] = []
        self.rendered = 0

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        self.rendered += 1
        if self.trouble:
            raise self.trouble.pop(0)
        return Rendering(
            content_type=content_type,
            width=400,
            height=300,
            variants=tuple(variant_of(recipe.variant, content) for recipe in RECIPE_SETS[1]),
            blurhash="LBDbNM^Q0#58N1-U%1g3aK%2-p%2",
            dominant_colour="#322c2a",
            step_milliseconds={},
        )


def with_facts(rendering: Rendering, **facts: object) -> Rendering:
    """The same rendering with other facts of each variant."""
    variants = tuple(replace(variant, **facts) for variant in rendering.variants)
    return replace(rendering, variants=variants)


def variant_of(name: str, content: bytes) -> RenderedVariant:
    """A variant that tells which one it is, and of what."""
    picture = name.encode() + content[:10]
    return RenderedVariant(
        name=name,
        content_type="image/jpeg",
        content=picture,
        file_size=len(picture),
        sha256=hashlib.sha256(picture).hexdigest(),
        width=40,
        height=30,
        quality=80,
        shrunk=False,
        milliseconds=1.2,
        recipe_version=1,
        encoder="none",
        removed_metadata=("exif",),
    )
