"""Removals on the real queue: what nobody needs any more goes, and nothing else."""

from datetime import timedelta
from uuid import uuid4

import pytest
from procrastinate import App

from domain.event_store.publishing import Publishing
from domain.keys import original_key, post_of_key
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from tests.fake_object_store import FakeObjectStore
from tests.histories import EXPIRY, OWNER, confirm_upload, create_post, delete_post
from tests.sql import Connections, run
from tests.transcoder.jobs.queue_runs import CONTENT, uploaded, work_again, work_once
from tests.transcoder.rendered import in_threads
from transcoder.duties.expired_uploads import GRACE, close_expired_uploads

pytestmark = pytest.mark.anyio


async def test_an_upload_that_never_completed_is_closed_and_its_object_removed(
    queue: App, publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    expired, completed = uuid4(), uuid4()
    for post_id in (expired, completed):
        publishing.execute(create_post(post_id))
        store.arrive(original_key(post_id), CONTENT)
    store.parts[original_key(expired)] = {1: CONTENT}
    publishing.execute(confirm_upload(completed))
    await catch_up(connections, POSTS, position=None)
    writer = in_threads(publishing)
    late = EXPIRY + GRACE + timedelta(seconds=1)
    early = EXPIRY + timedelta(seconds=1)
    assert await close_expired_uploads(connections, writer, now=early) == 0
    assert await close_expired_uploads(connections, writer, now=late) == 1
    assert await close_expired_uploads(connections, writer, now=late) == 0
    await run(connections, "DELETE FROM procrastinate_jobs WHERE queue_name = 'transcode'")
    await work_once(queue)
    assert len(store.objects) == 2
    await work_again(queue, connections)
    assert publishing.post(expired).status == "deleted"
    assert publishing.post(completed).status != "deleted"
    assert list(store.objects) == [original_key(completed)]
    assert store.parts == {}


async def test_the_objects_of_a_deleted_post_are_removed(
    queue: App, publishing: Publishing, store: FakeObjectStore
) -> None:
    deleted, kept = uploaded(publishing, store), uploaded(publishing, store)
    await work_once(queue)
    publishing.execute(delete_post(deleted, user_id=OWNER))
    assert len(store.objects) == 8
    await work_once(queue)
    assert {post_of_key(key) for key in store.objects} == {kept}


async def test_objects_that_cannot_be_removed_are_tried_again_and_it_is_told_why(
    queue: App, publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    post_id = uploaded(publishing, store)
    publishing.execute(delete_post(post_id, user_id=OWNER))
    store.down = True
    await work_once(queue)
    async with connections.connection() as connection:
        found = await connection.execute(
            "SELECT status::text, args ->> 'last_failure' FROM procrastinate_jobs"
            " WHERE task_name = 'post.remove_objects'"
        )
        assert await found.fetchall() == [("todo", "object_store_unavailable")]
    store.down = False
    await work_again(queue, connections)
    assert not store.objects


async def test_orphans_are_removed_in_the_night_after_a_whole_day(
    queue: App, publishing: Publishing, store: FakeObjectStore
) -> None:
    deleted = uuid4()
    publishing.execute(create_post(deleted))
    publishing.execute(delete_post(deleted))
    store.arrive(original_key(deleted), CONTENT)
    for days, left in ((0.9, 1), (2, 0)):
        night = store.changed_at + timedelta(days=days)
        await queue.configure_task("orphans.remove").defer_async(timestamp=int(night.timestamp()))
        await work_once(queue)
        assert len(store.objects) == left
