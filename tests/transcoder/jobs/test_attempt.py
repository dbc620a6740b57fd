"""An attempt at a job: every failure is retried or recorded, with what was going on."""

import hashlib
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import stamina

from domain.commands import Command, RecordVariant
from domain.errors import EventStoreUnavailable
from domain.event_store.publishing import Outcome, Publishing
from domain.events import PostFailed, topic_of
from domain.formats import ContentType
from domain.keys import original_key
from tests.fake_object_store import FakeObjectStore
from tests.histories import confirm_upload, create_post, delete_post, fail_post, retry_post
from tests.transcoder.rendered import (
    Attempts,
    FakeRenderer,
    in_threads,
    next_attempt,
    transcoding_with,
)
from transcoder.errors import (
    MAX_ATTEMPTS,
    CorruptImage,
    NoSlotFree,
    ObjectStoreUnavailable,
    UnexpectedFailure,
)
from transcoder.jobs.remove_objects import ObjectRemoval
from transcoder.rendering import Rendering

pytestmark = pytest.mark.anyio

CONTENT = b"the bytes of an original"


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


class FailsAfter(FakeRenderer):
    """Finds every picture damaged, after something else has happened."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.trouble = [CorruptImage(reason="it is")]
        self.meanwhile = meanwhile

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        self.meanwhile()
        return await super().render(content, content_type=content_type)


async def test_an_unexpected_error_is_retried_and_recorded_with_its_stage_in_the_end(
    transcoding: Attempts, publishing: Publishing, renderer: FakeRenderer, post_id: UUID
) -> None:
    renderer.trouble = [RuntimeError("a bug")] * 2
    with pytest.raises(UnexpectedFailure):
        await transcoding.run(next_attempt(post_id, internal_error=MAX_ATTEMPTS - 2))
    await transcoding.run(next_attempt(post_id, internal_error=MAX_ATTEMPTS - 1))
    failed = failure(publishing, post_id)
    assert (failed.code, failed.stage, failed.attempt) == ("internal_error", "render", MAX_ATTEMPTS)


async def test_a_photo_that_met_a_bug_is_published_by_a_retry_after_the_fix(
    transcoding: Attempts,
    publishing: Publishing,
    renderer: FakeRenderer,
    store: FakeObjectStore,
    post_id: UUID,
) -> None:
    renderer.trouble = [UnexpectedFailure.of(ZeroDivisionError("a bug"))]
    await transcoding.run(next_attempt(post_id, internal_error=MAX_ATTEMPTS - 1))
    failed = failure(publishing, post_id)
    assert (failed.code, failed.stage) == ("internal_error", "render")
    assert "our fault" in failed.message
    assert store.objects[original_key(post_id)] == CONTENT
    publishing.execute(retry_post(post_id))
    await transcoding.run(next_attempt(post_id))
    assert topic_of(publishing.history(post_id)[-1]) == "post.published"


async def test_a_failure_to_store_a_variant_is_recorded_as_upload(
    publishing: Publishing, store: FakeObjectStore, post_id: UUID
) -> None:
    class StopsStoring(FakeRenderer):
        async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
            store.down = True
            return await super().render(content, content_type=content_type)

    used_up = next_attempt(post_id, object_store_unavailable=MAX_ATTEMPTS - 1)
    with stamina.set_testing(True, attempts=1):
        await transcoding_with(publishing, store, StopsStoring()).run(used_up)
    failed = failure(publishing, post_id)
    assert (failed.code, failed.stage) == ("object_store_unavailable", "upload")


async def test_a_failure_to_record_a_variant_is_recorded_as_record(
    transcoding: Attempts,
    publishing: Publishing,
    post_id: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    execute = publishing.execute

    def refuse_variants(command: Command, **options: Any) -> Outcome:
        if isinstance(command, RecordVariant):
            raise ZeroDivisionError
        return execute(command, **options)

    monkeypatch.setattr(publishing, "execute", refuse_variants)
    await transcoding.run(next_attempt(post_id, internal_error=MAX_ATTEMPTS - 1))
    assert failure(publishing, post_id).stage == "record"


async def test_a_post_that_took_every_worker_down_failed_in_no_stage(
    transcoding: Attempts, publishing: Publishing, renderer: FakeRenderer, post_id: UUID
) -> None:
    await transcoding.run(next_attempt(post_id, worker_lost=MAX_ATTEMPTS))
    failed = failure(publishing, post_id)
    assert (failed.code, failed.stage, renderer.rendered) == ("internal_error", None, 0)


async def test_a_failure_from_before_a_retry_does_not_fail_the_retried_post(
    publishing: Publishing, store: FakeObjectStore, post_id: UUID
) -> None:
    def meanwhile() -> None:
        publishing.execute(fail_post(post_id))
        publishing.execute(retry_post(post_id))

    renderer = FailsAfter(meanwhile)
    await transcoding_with(publishing, store, renderer).run(next_attempt(post_id))
    assert publishing.post(post_id).status == "processing"


async def test_a_post_that_is_deleted_before_its_failure_is_recorded_stays_deleted(
    publishing: Publishing, store: FakeObjectStore, post_id: UUID
) -> None:
    renderer = FailsAfter(lambda: publishing.execute(delete_post(post_id)))
    await transcoding_with(publishing, store, renderer).run(next_attempt(post_id))
    assert topic_of(publishing.history(post_id)[-1]) == "post.deleted"


@pytest.mark.parametrize("error", [EventStoreUnavailable("it is down"), NoSlotFree()])
async def test_what_is_not_the_photos_fault_is_raised_as_it_is(
    error: Exception,
    transcoding: Attempts,
    publishing: Publishing,
    renderer: FakeRenderer,
    post_id: UUID,
) -> None:
    renderer.trouble = [error]
    with pytest.raises(type(error)):
        await transcoding.run(next_attempt(post_id, internal_error=MAX_ATTEMPTS - 1))
    assert publishing.post(post_id).status == "processing"


async def test_a_removal_is_never_given_up(
    publishing: Publishing, store: FakeObjectStore, post_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.execute(delete_post(post_id))
    removal = Attempts(ObjectRemoval(publishing=in_threads(publishing), store=store), publishing)
    late = next_attempt(
        post_id,
        internal_error=MAX_ATTEMPTS,
        object_store_unavailable=MAX_ATTEMPTS,
        worker_lost=MAX_ATTEMPTS,
    )
    store.down = True
    with pytest.raises(ObjectStoreUnavailable):
        await removal.run(late)
    store.down = False
    with monkeypatch.context() as broken:
        broken.setattr(store, "list_page", None)
        with pytest.raises(UnexpectedFailure):
            await removal.run(late)
    await removal.run(late)
    assert not store.objects


async def test_a_removal_leaves_a_living_post_alone(
    publishing: Publishing, store: FakeObjectStore, post_id: UUID
) -> None:
    removal = Attempts(ObjectRemoval(publishing=in_threads(publishing), store=store), publishing)
    await removal.run(next_attempt(post_id))
    assert list(store.objects) == [original_key(post_id)]
