"""A run of the media audit: every post that has variants, once, and none that is deleted."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import anyio
import pytest

from domain.errors import PostNotFound
from domain.event_store.publishing import Publishing
from domain.settings import load_settings
from tests.fake_object_store import FakeObjectStore
from tests.histories import confirm_upload, create_post, delete_post, publishing_commands
from transcoder import media_audit
from transcoder.media_audit import run_media_audit
from transcoder.settings import WorkerSettings

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> WorkerSettings:
    """Settings of a worker whose object store is a fake and empty one."""

    @asynccontextmanager
    async def open_fake(_: object) -> AsyncIterator[FakeObjectStore]:
        yield FakeObjectStore()

    monkeypatch.setattr(media_audit, "open_s3", open_fake)
    environ = {"DATABASE_URL": database_url, "S3_BUCKET_NAME": "fake", "WORKER_CONCURRENCY": "2"}
    return load_settings(WorkerSettings, environ)


def publish(publishing: Publishing) -> UUID:
    post_id = uuid4()
    for command in publishing_commands(post_id):
        publishing.execute(command)
    return post_id


async def audited_posts(settings: WorkerSettings, post_id: UUID | None = None) -> Counter[UUID]:
    """How often each post was audited; what is stored is not the point here."""
    posts = Counter[UUID]()
    with anyio.fail_after(60):
        await run_media_audit(
            settings,
            post_id,
            only_stored=True,
            audited=lambda variants: posts.update({variants[0].post_id: 1}),
        )
    return posts


async def test_each_post_with_variants_is_audited_once_whatever_the_size_of_a_page(
    publishing: Publishing, settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    post_ids = {publish(publishing) for _ in range(3)}
    waiting = uuid4()
    publishing.execute(create_post(waiting))
    publishing.execute(confirm_upload(waiting))

    for batch in (1, 2, 3):
        monkeypatch.setattr(media_audit, "_BATCH", batch)
        assert await audited_posts(settings) == Counter(post_ids)


async def test_nothing_is_asked_about_a_deleted_post(
    publishing: Publishing, settings: WorkerSettings
) -> None:
    post_id, deleted = publish(publishing), publish(publishing)
    publishing.execute(delete_post(deleted))

    assert await audited_posts(settings) == Counter([post_id])
    with pytest.raises(PostNotFound):
        await audited_posts(settings, deleted)


async def test_one_post_can_be_audited_and_an_unknown_one_is_named(
    publishing: Publishing, settings: WorkerSettings
) -> None:
    post_id, _ = publish(publishing), publish(publishing)

    assert await audited_posts(settings, post_id) == Counter([post_id])
    with pytest.raises(PostNotFound):
        await audited_posts(settings, uuid4())
