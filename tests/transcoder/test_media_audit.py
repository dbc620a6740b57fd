"""The media audit: bytes that were recorded, derived again by the worker's own pool."""

import hashlib
from uuid import UUID, uuid4

import pytest

from domain.event_store.publishing import Publishing
from domain.formats import ContentType
from domain.keys import original_key
from domain.recipes import RECIPE_VERSION, RECIPES
from tests.fake_object_store import FakeObjectStore
from tests.histories import confirm_upload, create_post
from tests.transcoder import pictures
from tests.transcoder.rendered import FakeRenderer, transcoding_with, with_facts
from transcoder.errors import CorruptImage, ObjectStoreUnavailable
from transcoder.jobs.work import Renderer, Work
from transcoder.media_audit import MediaAudit
from transcoder.processes.pool import RenderPool
from transcoder.rendering import Limits, Rendering

pytestmark = pytest.mark.anyio


async def published(
    publishing: Publishing, store: FakeObjectStore, renderer: Renderer, content: bytes
) -> UUID:
    post_id = uuid4()
    sha256 = hashlib.sha256(content).hexdigest()
    publishing.execute(create_post(post_id, sha256=sha256, file_size=len(content)))
    publishing.execute(confirm_upload(post_id))
    store.arrive(original_key(post_id), content)
    work = Work(post_id=post_id, correlation_id=uuid4(), causation_id=uuid4(), attempt=1)
    await transcoding_with(publishing, store, renderer).run(work)
    return post_id


async def test_the_pool_derives_the_very_bytes_that_it_made(
    publishing: Publishing, store: FakeObjectStore
) -> None:
    pool = RenderPool(size=1, limits=Limits())
    await pool.warm()
    post_id = await published(publishing, store, pool, pictures.jpeg())
    audited = await MediaAudit(store=store, renderer=pool).of_post(publishing.post(post_id))
    assert [(one.derived, one.stored) for one in audited] == [("same", "same")] * len(RECIPES)
    assert not any(one.is_wrong() for one in audited)


class CurrentRenderer(FakeRenderer):
    """Draws nothing, by today's recipe; `encoder` and `mark` change what it makes."""

    encoder = "none"
    mark = b""

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        made = await super().render(self.mark + content, content_type=content_type)
        return with_facts(made, recipe_version=RECIPE_VERSION, encoder=self.encoder)


@pytest.fixture
def current() -> CurrentRenderer:
    return CurrentRenderer()


async def test_what_became_of_each_variant_is_said(
    publishing: Publishing, store: FakeObjectStore, current: CurrentRenderer
) -> None:
    post = publishing.post(await published(publishing, store, current, b"an original"))
    audit = MediaAudit(store=store, renderer=current)

    async def derived() -> set[str]:
        return {one.derived for one in await audit.of_post(post)}

    assert await derived() == {"same"}
    current.mark = b"!"
    assert await derived() == {"differs"}
    current.encoder = "another"
    assert await derived() == {"other_encoder"}
    current.trouble = [CorruptImage(reason="it is")]
    assert await derived() == {"not_rendered"}
    store.objects[post.image_key] = b"another original"
    assert await derived() == {"original_differs"}
    del store.objects[post.image_key]
    assert await derived() == {"original_missing"}
    store.down = True
    with pytest.raises(ObjectStoreUnavailable):
        await audit.of_post(post)


async def test_stored_variants_that_changed_or_went_are_named(
    publishing: Publishing, store: FakeObjectStore, current: CurrentRenderer
) -> None:
    post = publishing.post(await published(publishing, store, current, b"an original"))
    store.objects[post.variants["medium"].key] = b"another picture"
    del store.objects[post.variants["original"].key]
    audited = await MediaAudit(store=store, renderer=current).of_post(post)
    found = {one.variant: (one.stored, one.is_wrong()) for one in audited}
    assert found == {
        "thumbnail": ("same", False),
        "medium": ("differs", True),
        "original": ("missing", True),
    }


async def test_variants_of_another_recipe_are_not_rendered_again(
    publishing: Publishing, store: FakeObjectStore, renderer: FakeRenderer
) -> None:
    post = publishing.post(await published(publishing, store, renderer, b"an original"))
    audited = await MediaAudit(store=store, renderer=renderer).of_post(post)
    assert {one.derived for one in audited} == {"other_recipe"}
    assert renderer.rendered == 1


async def test_without_a_renderer_the_store_is_asked_for_what_should_be_there(
    publishing: Publishing, store: FakeObjectStore, current: CurrentRenderer
) -> None:
    post = publishing.post(await published(publishing, store, current, b"an original"))
    audit = MediaAudit(store=store, renderer=None)
    store.objects[post.variants["medium"].key] = b"another picture"
    del store.objects[post.variants["original"].key]
    audited = await audit.of_post(post)
    assert {one.variant: (one.derived, one.stored, one.is_wrong()) for one in audited} == {
        "thumbnail": ("not_tried", "same", False),
        "medium": ("not_tried", "differs", True),
        "original": ("not_tried", "missing", True),
    }
    assert current.rendered == 1
    store.objects[post.image_key] = b"another original"
    assert {one.derived for one in await audit.of_post(post)} == {"original_differs"}
    del store.objects[post.image_key]
    assert {one.derived for one in await audit.of_post(post)} == {"original_missing"}
