"""The transcode job: every attempt ends in a published post, a failed one, or another attempt."""

import hashlib
from collections.abc import Iterator
from uuid import UUID, uuid4

import anyio
import pytest
import stamina

from domain.event_store.publishing import Publishing
from domain.events import PostFailed, topic_of
from domain.keys import original_key
from tests.fake_object_store import FakeObjectStore
from tests.histories import confirm_upload, create_post, delete_post
from tests.transcoder.rendered import Attempts, FakeRenderer, next_attempt, transcoding_with
from transcoder.errors import (
    MAX_ATTEMPTS,
    CorruptImage,
    ObjectStoreUnavailable,
    RendererCrashed,
    TranscoderError,
    UnexpectedFailure,
)

pytestmark = pytest.mark.anyio

CONTENT = b"the bytes of an original"


@pytest.fixture(autouse=True)
def without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=4):
        yield


@pytest.fixture
def transcoding(publishing: Publishing, store: FakeObjectStore, renderer: FakeRenderer) -> Attempts:
    return transcoding_with(publishing, store, renderer)


@pytest.fixture
def post_id(publishing: Publishing, store: FakeObjectStore) -> UUID:
    """A post whose photo has just been uploaded."""
    post_id = uuid4()
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    publishing.execute(create_post(post_id, sha256=sha256, file_size=len(CONTENT)))
    publishing.execute(confirm_upload(post_id))
    store.arrive(original_key(post_id), CONTENT)
    return post_id


def failure(publishing: Publishing, post_id: UUID) -> PostFailed:
    last = publishing.history(post_id)[-1]
    assert isinstance(last, PostFailed)
    return last


async def test_an_original_becomes_three_stored_variants_and_a_published_post(
    transcoding: Attempts, publishing: Publishing, store: FakeObjectStore, post_id: UUID
) -> None:
    asked = next_attempt(post_id)
    await transcoding.run(asked)
    history = publishing.history(post_id)
    assert [topic_of(event) for event in history[2:]] == [
        *["post.variant_ready"] * 3,
        "post.published",
    ]
    assert {event.correlation_id for event in history[2:]} == {asked.correlation_id}
    assert {event.actor for event in history[2:]} == {"system:transcoder"}
    for name, variant in publishing.post(post_id).variants.items():
        stored = store.put_with[variant.key]
        assert hashlib.sha256(stored.content).hexdigest() == variant.sha256
        assert variant.key == f"variants/{post_id}/{name}-{variant.sha256}.jpg"
        assert stored.content_type == "image/jpeg"
        assert stored.cache_control == "public, max-age=31536000, immutable"
        assert stored.metadata["post-id"] == str(post_id)


async def test_the_same_job_again_and_twice_at_once_changes_nothing(
    transcoding: Attempts, publishing: Publishing, renderer: FakeRenderer, post_id: UUID
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(transcoding.run, next_attempt(post_id))
        tasks.start_soon(transcoding.run, next_attempt(post_id))
    await transcoding.run(next_attempt(post_id))
    topics = [topic_of(event) for event in publishing.history(post_id)]
    assert topics.count("post.variant_ready") == 3
    assert topics.count("post.published") == 1
    assert renderer.rendered == 2


async def test_trouble_that_is_permanent_fails_the_post_at_once_with_a_message_for_people(
    transcoding: Attempts, publishing: Publishing, renderer: FakeRenderer, post_id: UUID
) -> None:
    renderer.trouble = [CorruptImage(reason="VipsJpeg: premature end")]
    await transcoding.run(next_attempt(post_id))
    failed = failure(publishing, post_id)
    assert (failed.code, failed.stage, failed.attempt) == ("corrupt_image", "render", 1)
    assert "Vips" not in failed.message


async def test_an_original_that_is_gone_or_another_fails_the_post(
    transcoding: Attempts, publishing: Publishing, store: FakeObjectStore, post_id: UUID
) -> None:
    store.objects[original_key(post_id)] = b"other bytes, swapped in by somebody"
    await transcoding.run(next_attempt(post_id))
    assert failure(publishing, post_id).code == "checksum_mismatch"

    gone = uuid4()
    publishing.execute(create_post(gone))
    publishing.execute(confirm_upload(gone))
    await transcoding.run(next_attempt(gone))
    assert (failure(publishing, gone).code, failure(publishing, gone).stage) == (
        "original_missing",
        "download",
    )


async def test_a_passing_fault_of_the_object_store_is_retried_within_the_attempt(
    transcoding: Attempts, publishing: Publishing, store: FakeObjectStore, post_id: UUID
) -> None:
    store.failures_to_come = 3
    await transcoding.run(next_attempt(post_id))
    assert publishing.post(post_id).status == "published"


async def test_a_lasting_fault_is_left_to_later_attempts_and_fails_the_post_when_they_are_used_up(
    transcoding: Attempts, publishing: Publishing, store: FakeObjectStore, post_id: UUID
) -> None:
    store.down = True
    for met in range(MAX_ATTEMPTS - 1):
        with pytest.raises(ObjectStoreUnavailable):
            await transcoding.run(next_attempt(post_id, object_store_unavailable=met))
        assert publishing.post(post_id).status == "processing"
    await transcoding.run(next_attempt(post_id, object_store_unavailable=MAX_ATTEMPTS - 1))
    failed = failure(publishing, post_id)
    assert (failed.code, failed.attempt) == ("object_store_unavailable", MAX_ATTEMPTS)


async def test_a_fault_in_the_middle_of_storing_leaves_nothing_to_do_twice(
    transcoding: Attempts, publishing: Publishing, store: FakeObjectStore, post_id: UUID
) -> None:
    class StopsAfterOnePut(FakeObjectStore):
        async def put(self, new: object) -> None:
            await super().put(new)  # type: ignore[arg-type]
            self.down = True

    stopping = StopsAfterOnePut()
    stopping.objects = store.objects
    broken = transcoding_with(publishing, stopping, FakeRenderer())
    with pytest.raises(TranscoderError):
        await broken.run(next_attempt(post_id))
    await transcoding.run(next_attempt(post_id, object_store_unavailable=1))
    topics = [topic_of(event) for event in publishing.history(post_id)]
    assert topics.count("post.variant_ready") == 3
    assert topics[-1] == "post.published"


async def test_a_picture_that_kills_its_process_gets_one_more_try(
    transcoding: Attempts, publishing: Publishing, renderer: FakeRenderer, post_id: UUID
) -> None:
    renderer.trouble = [RendererCrashed(), RendererCrashed()]
    with pytest.raises(RendererCrashed):
        # Whatever else went wrong before was not the picture's fault.
        await transcoding.run(next_attempt(post_id, object_store_unavailable=5, worker_lost=2))
    await transcoding.run(next_attempt(post_id, renderer_crashed=1))
    assert failure(publishing, post_id).code == "renderer_crashed"


async def test_a_post_that_took_every_worker_down_is_given_up(
    transcoding: Attempts, publishing: Publishing, renderer: FakeRenderer, post_id: UUID
) -> None:
    await transcoding.run(next_attempt(post_id, worker_lost=MAX_ATTEMPTS))
    assert failure(publishing, post_id).code == UnexpectedFailure.code
    assert renderer.rendered == 0


async def test_a_post_that_is_deleted_meanwhile_is_left_alone(
    transcoding: Attempts, publishing: Publishing, post_id: UUID
) -> None:
    publishing.execute(delete_post(post_id))
    await transcoding.run(next_attempt(post_id))
    assert topic_of(publishing.history(post_id)[-1]) == "post.deleted"


async def test_a_post_that_is_deleted_while_it_is_rendered_is_never_published(
    publishing: Publishing, store: FakeObjectStore, post_id: UUID
) -> None:
    class DeletesMeanwhile(FakeRenderer):
        async def render(self, content: bytes, *, content_type: object) -> object:  # type: ignore[override]
            publishing.execute(delete_post(post_id))
            return await super().render(content, content_type=content_type)  # type: ignore[arg-type]

    transcoding = transcoding_with(publishing, store, DeletesMeanwhile())  # type: ignore[arg-type]
    await transcoding.run(next_attempt(post_id))
    assert topic_of(publishing.history(post_id)[-1]) == "post.deleted"
