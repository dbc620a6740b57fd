"""The reprocess job: variants are replaced at once, or stay what they were and it is said why."""

import hashlib
from uuid import UUID, uuid4

import pytest

from domain.event_store.publishing import Publishing
from domain.events import PostNotReprocessed, PostReprocessed
from domain.formats import ContentType
from domain.keys import original_key
from domain.recipes import RECIPE_VERSION
from tests.fake_object_store import FakeObjectStore
from tests.histories import confirm_upload, create_post, delete_post
from tests.transcoder.rendered import (
    Attempts,
    FakeRenderer,
    next_attempt,
    reprocessing_with,
    transcoding_with,
    with_facts,
)
from transcoder.errors import MAX_ATTEMPTS, RendererCrashed
from transcoder.rendering import Rendering

pytestmark = pytest.mark.anyio

CONTENT = b"the bytes of an original"


class TodaysRenderer(FakeRenderer):
    """Draws other bytes, with today's recipes."""

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        rendering = await super().render(content[::-1], content_type=content_type)
        return with_facts(rendering, recipe_version=RECIPE_VERSION)


@pytest.fixture
def renderer() -> TodaysRenderer:
    return TodaysRenderer()


@pytest.fixture
def reprocessing(
    publishing: Publishing, store: FakeObjectStore, renderer: TodaysRenderer
) -> Attempts:
    return reprocessing_with(publishing, store, renderer)


@pytest.fixture
async def post_id(publishing: Publishing, store: FakeObjectStore) -> UUID:
    """A post that was published with an older recipe."""
    post_id = uuid4()
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    publishing.execute(create_post(post_id, sha256=sha256, file_size=len(CONTENT)))
    publishing.execute(confirm_upload(post_id))
    store.arrive(original_key(post_id), CONTENT)
    await transcoding_with(publishing, store, FakeRenderer()).run(next_attempt(post_id))
    return post_id


async def test_all_variants_are_made_again_and_stored_beside_the_old_ones(
    reprocessing: Attempts, publishing: Publishing, store: FakeObjectStore, post_id: UUID
) -> None:
    before = publishing.post(post_id)
    await reprocessing.run(next_attempt(post_id))
    after = publishing.post(post_id)
    assert isinstance(publishing.history(post_id)[-1], PostReprocessed)
    assert (after.recipe_version, after.status) == (RECIPE_VERSION, "published")
    keys = {made.key for post in (before, after) for made in post.variants.values()}
    assert keys <= store.objects.keys()
    assert len(keys) == 6


async def test_a_second_run_has_nothing_to_do(
    reprocessing: Attempts,
    publishing: Publishing,
    renderer: TodaysRenderer,
    post_id: UUID,
) -> None:
    for _ in range(2):
        await reprocessing.run(next_attempt(post_id))
    assert renderer.rendered == 1
    assert publishing.post(post_id).version == 7


async def test_an_original_that_is_gone_leaves_the_post_as_it_is_with_a_reason(
    reprocessing: Attempts, publishing: Publishing, store: FakeObjectStore, post_id: UUID
) -> None:
    await store.remove(original_key(post_id))
    await reprocessing.run(next_attempt(post_id))
    said = publishing.history(post_id)[-1]
    assert isinstance(said, PostNotReprocessed)
    assert (said.code, said.recipe_version) == ("original_missing", RECIPE_VERSION)
    assert publishing.post(post_id).status == "published"


async def test_what_may_help_is_tried_again_and_not_for_ever(
    reprocessing: Attempts, publishing: Publishing, renderer: TodaysRenderer, post_id: UUID
) -> None:
    renderer.trouble = [RendererCrashed(), RendererCrashed()]
    with pytest.raises(RendererCrashed):
        await reprocessing.run(next_attempt(post_id))
    await reprocessing.run(next_attempt(post_id, renderer_crashed=1))
    assert isinstance(publishing.history(post_id)[-1], PostNotReprocessed)


async def test_a_post_whose_every_attempt_took_its_worker_down_is_left_alone(
    reprocessing: Attempts, publishing: Publishing, renderer: TodaysRenderer, post_id: UUID
) -> None:
    await reprocessing.run(next_attempt(post_id, worker_lost=MAX_ATTEMPTS))
    assert renderer.rendered == 0
    assert isinstance(publishing.history(post_id)[-1], PostNotReprocessed)


async def test_a_post_that_is_deleted_meanwhile_stays_deleted(
    publishing: Publishing, store: FakeObjectStore, post_id: UUID
) -> None:
    class DeletesMeanwhile(TodaysRenderer):
        async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
            publishing.execute(delete_post(post_id))
            return await super().render(content, content_type=content_type)

    reprocessing = reprocessing_with(publishing, store, DeletesMeanwhile())
    await reprocessing.run(next_attempt(post_id))
    assert publishing.post(post_id).status == "deleted"
