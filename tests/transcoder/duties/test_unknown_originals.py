"""Unknown originals: each becomes one published post of its owner, whole or not at all."""

import hashlib
from typing import Final
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace
from procrastinate import App

from domain.event_store.publishing import Publishing
from domain.events import topic_of
from domain.keys import original_key
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from tests.fake_object_store import FakeObjectStore
from tests.histories import OWNER, create_post, delete_post, origin, publishing_commands
from tests.sql import Connections
from tests.transcoder.jobs.queue_runs import CONTENT, work_once
from tests.transcoder.rendered import in_threads
from transcoder.duties.orphans import find_orphans, remove_orphan, remove_orphans
from transcoder.duties.unknown_originals import (
    UnknownOriginal,
    adopt_original,
    find_unknown_originals,
)
from transcoder.object_store.parts import checksum_of, split
from transcoder.object_store.protocol import Announced

pytestmark = pytest.mark.anyio

SHA256: Final = hashlib.sha256(CONTENT).hexdigest()
ACTOR: Final = "cli:operator@host"


def arrive(store: FakeObjectStore, *, owner: UUID | None = OWNER, content_type: str = "") -> UUID:
    """Store an original that no event knows."""
    post_id = uuid4()
    key = original_key(post_id)
    store.arrive(key, CONTENT)
    if owner:
        store.announce(
            Announced(
                key=key,
                user_id=owner,
                content_type=content_type or "image/jpeg",
                file_size=len(CONTENT),
                sha256=SHA256,
            )
        )
    return post_id


async def found(
    store: FakeObjectStore, connections: Connections, *, owner: UUID | None = None
) -> list[UnknownOriginal]:
    return [each async for each in find_unknown_originals(store, connections, owner=owner)]


async def adopt(publishing: Publishing, store: FakeObjectStore, original: UnknownOriginal) -> bool:
    writer = in_threads(publishing)
    return await adopt_original(original, store, writer, origin=origin(actor=ACTOR))


async def test_unknown_originals_are_published_as_posts_of_their_owners(
    queue: App, publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    owners = {arrive(store, owner=owner): owner for owner in (OWNER, uuid4(), uuid4())}
    originals = await found(store, connections)
    assert {each.post_id: each.user_id for each in originals} == owners
    for each in originals:
        assert await adopt(publishing, store, each)
    await work_once(queue)
    await catch_up(connections, POSTS, position=None)
    for post_id, owner in owners.items():
        post = publishing.post(post_id)
        assert (post.status, post.user_id, post.sha256) == ("published", owner, SHA256)
        created, uploaded, *_ = publishing.history(post_id)
        assert [topic_of(event) for event in (created, uploaded)] == [
            "post.created",
            "post.uploaded",
        ]
        assert created.actor == uploaded.actor == ACTOR
    assert await found(store, connections) == []


async def test_adopting_twice_makes_one_post_and_one_job(
    publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    post_id = arrive(store)
    [original] = await found(store, connections)
    assert [await adopt(publishing, store, original) for _ in range(2)] == [True, False]
    assert len(publishing.history(post_id)) == 2
    async with connections.connection() as connection:
        jobs = await connection.execute("SELECT queue_name, lock FROM procrastinate_jobs")
        # In the bulk lane: thousands of them delay no live upload.
        assert await jobs.fetchall() == [("bulk", f"post:{post_id}")]


async def test_the_hash_of_an_original_in_parts_is_that_of_its_bytes(
    queue: App, publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    post_id = arrive(store)
    parts = split(len(CONTENT), [SHA256])
    store.checksums[original_key(post_id)] = checksum_of(parts)
    [original] = await found(store, connections)
    assert original.sha256 is None
    assert await adopt(publishing, store, original)
    await work_once(queue)
    assert (publishing.post(post_id).status, publishing.post(post_id).sha256) == (
        "published",
        SHA256,
    )


async def test_an_original_that_goes_meanwhile_is_not_adopted(
    publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    post_id = arrive(store)
    [original] = await found(store, connections)
    await store.remove(original.key)
    assert not await adopt(publishing, store, replace(original, sha256=None))
    assert publishing.history(post_id) == []


async def test_an_original_without_an_owner_needs_one_and_keeps_the_one_it_has(
    publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    given = uuid4()
    known, unknown = arrive(store), arrive(store, owner=None)
    obstacles = {each.post_id: each.obstacle for each in await found(store, connections)}
    assert obstacles == {known: None, unknown: "no_owner"}
    originals = {each.post_id: each for each in await found(store, connections)}
    assert not await adopt(publishing, store, originals[unknown])
    assert publishing.history(unknown) == []

    for each in await found(store, connections, owner=given):
        assert await adopt(publishing, store, each)
    assert publishing.post(known).user_id == OWNER
    assert publishing.post(unknown).user_id == given


async def test_an_object_that_is_no_photo_by_its_type_is_not_adopted(
    publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    post_id = arrive(store, content_type="text/html")
    [original] = await found(store, connections)
    assert original.obstacle == "not_a_photo"
    assert not await adopt(publishing, store, original)
    assert publishing.history(post_id) == []


async def test_originals_of_known_posts_and_other_objects_are_none_of_its_business(
    publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    published, deleted = uuid4(), uuid4()
    for command in publishing_commands(published):
        publishing.execute(command)
    publishing.execute(create_post(deleted))
    publishing.execute(delete_post(deleted))
    for key in (original_key(published), original_key(deleted), "uploads/x", f"variants/{uuid4()}"):
        store.arrive(key, CONTENT)
    assert await found(store, connections) == []


async def test_the_janitor_removes_no_original_before_or_after_it_is_adopted(
    queue: App, publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    post_id = arrive(store)
    [original] = await found(store, connections)
    before = store.changed_at.replace(year=store.changed_at.year + 1)
    [orphan] = [each async for each in find_orphans(store, connections, before=before)]
    assert await remove_orphans(store, connections, before=before) == 0
    assert await adopt(publishing, store, original)
    # The janitor found it while it was unknown, and comes to it now.
    assert not await remove_orphan(orphan, store, connections)
    assert await remove_orphans(store, connections, before=before) == 0
    await work_once(queue)
    assert await remove_orphans(store, connections, before=before) == 0
    assert publishing.post(post_id).status == "published"
    assert original_key(post_id) in store.objects
