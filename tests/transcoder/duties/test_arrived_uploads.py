"""Uploads whose client died between PUT and `complete` are completed, and never removed unseen."""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from procrastinate import App

from domain.event_store.publishing import Publishing
from domain.events import PostUploaded
from domain.keys import original_key
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from tests.fake_object_store import FakeObjectStore
from tests.histories import EXPIRY, NOON, confirm_upload, create_post, delete_post
from tests.sql import Connections
from tests.transcoder.jobs.queue_runs import CONTENT, work_once
from tests.transcoder.rendered import in_threads
from transcoder.duties.arrived_uploads import ACTOR, BEFORE_END, complete_arrived_uploads
from transcoder.duties.expired_uploads import GRACE, close_expired_uploads
from transcoder.errors import ObjectStoreUnavailable

pytestmark = pytest.mark.anyio

SOON = EXPIRY - BEFORE_END + timedelta(seconds=1)
LATE = EXPIRY + GRACE + timedelta(seconds=1)


async def announced(
    publishing: Publishing, connections: Connections, *, number: int = 1
) -> list[UUID]:
    """Open uploads, as the read table has them."""
    posts = [uuid4() for _ in range(number)]
    for post_id in posts:
        sha256 = hashlib.sha256(CONTENT).hexdigest()
        publishing.execute(create_post(post_id, sha256=sha256, file_size=len(CONTENT)))
    await catch_up(connections, POSTS, position=None)
    return posts


async def test_a_hundred_uploads_that_nobody_completed_are_published(
    queue: App, publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    posts = await announced(publishing, connections, number=100)
    for post_id in posts:
        store.arrive(original_key(post_id), CONTENT)
    # All of them ended long ago, by the database's clock.
    await queue.configure_task("expired_uploads.close").defer_async(timestamp=0)
    for _ in range(2):
        await work_once(queue)

    assert [publishing.post(post_id).status for post_id in posts] == ["published"] * 100


@pytest.mark.parametrize("now", [SOON, LATE], ids=["before its end", "after its end"])
async def test_an_arrived_photo_is_completed_by_the_duty(
    publishing: Publishing, store: FakeObjectStore, connections: Connections, now: datetime
) -> None:
    [post_id] = await announced(publishing, connections)
    store.arrive(original_key(post_id), CONTENT)
    writer = in_threads(publishing)

    assert await complete_arrived_uploads(connections, writer, store, now=now) == 1
    last = publishing.history(post_id)[-1]
    assert isinstance(last, PostUploaded)
    assert (last.actor, last.recorded_at) == (ACTOR, now)
    assert await complete_arrived_uploads(connections, writer, store, now=now) == 0
    assert await close_expired_uploads(connections, writer, now=LATE) == 0


async def test_a_client_has_the_time_to_complete_its_upload_itself(
    publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    [post_id] = await announced(publishing, connections)
    store.arrive(original_key(post_id), CONTENT)
    writer = in_threads(publishing)
    assert await complete_arrived_uploads(connections, writer, store, now=NOON) == 0


async def test_what_is_not_the_announced_photo_is_not_completed(
    publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    missing, shorter, other, deleted, completed = await announced(publishing, connections, number=5)
    store.arrive(original_key(shorter), CONTENT[1:])
    store.arrive(original_key(other), b"\0" * len(CONTENT))
    for post_id in (deleted, completed):
        store.arrive(original_key(post_id), CONTENT)
    publishing.execute(delete_post(deleted))
    publishing.execute(confirm_upload(completed))
    writer = in_threads(publishing)

    assert await complete_arrived_uploads(connections, writer, store, now=SOON) == 0
    assert await close_expired_uploads(connections, writer, now=LATE) == 3
    assert {publishing.post(each).status for each in (missing, shorter, other)} == {"deleted"}


async def test_an_original_made_of_parts_is_left_for_the_worker_to_compare(
    publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    [post_id] = await announced(publishing, connections)
    store.arrive(original_key(post_id), CONTENT)
    store.checksums[original_key(post_id)] = "of its parts-2"
    writer = in_threads(publishing)
    assert await complete_arrived_uploads(connections, writer, store, now=SOON) == 1


async def test_a_damaged_post_keeps_no_other_from_being_completed(
    publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    damaged, other = await announced(publishing, connections, number=2)
    for post_id in (damaged, other):
        store.arrive(original_key(post_id), CONTENT)
    async with connections.connection() as connection:
        await connection.execute("ALTER TABLE post_events DISABLE TRIGGER USER")
        await connection.execute(
            "UPDATE post_events SET state = '{}' WHERE originator_id = %s", [damaged]
        )
    writer = in_threads(publishing)
    assert await complete_arrived_uploads(connections, writer, store, now=SOON) == 1


async def test_nothing_is_closed_while_the_object_store_is_down(
    queue: App, publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    [post_id] = await announced(publishing, connections)
    store.arrive(original_key(post_id), CONTENT)
    store.down = True
    with pytest.raises(ObjectStoreUnavailable):
        await complete_arrived_uploads(connections, in_threads(publishing), store, now=LATE)
    await queue.configure_task("expired_uploads.close").defer_async(timestamp=0)
    await work_once(queue)
    assert publishing.post(post_id).status == "pending"
