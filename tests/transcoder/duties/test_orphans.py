"""The janitor: what nothing needs is found and removed, and nothing else ever is."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.event_store.publishing import Publishing
from domain.events import PostReprocessed, VariantReady, topic_of
from domain.keys import original_key, variant_key
from tests.fake_object_store import FakeObjectStore
from tests.histories import (
    confirm_upload,
    create_post,
    delete_post,
    fail_post,
    publishing_commands,
    record_variant,
    reprocess_post,
    retry_post,
)
from transcoder.duties.orphans import find_orphans, remove_orphan, remove_orphans

pytestmark = pytest.mark.anyio

Connections = AsyncConnectionPool[AsyncConnection[object]]
DAY = timedelta(days=1)
NEVER = datetime.max.replace(tzinfo=UTC)


async def found(store: FakeObjectStore, connections: Connections) -> dict[str, str]:
    orphans: AsyncIterator[object] = find_orphans(store, connections, before=store.changed_at + DAY)
    return {orphan.key: orphan.why async for orphan in orphans}  # type: ignore[attr-defined]


async def test_every_object_of_a_living_post_is_needed_also_what_was_replaced(
    store: FakeObjectStore, publishing: Publishing, connections: Connections
) -> None:
    post_id = uuid4()
    for command in (*publishing_commands(post_id), reprocess_post(post_id)):
        for event in publishing.execute(command).events:
            if isinstance(event, VariantReady):
                store.arrive(event.variant.key, b"a variant")
            if isinstance(event, PostReprocessed):
                for variant in event.variants:
                    store.arrive(variant.key, b"a variant")
    store.arrive(original_key(post_id), b"the original")
    assert len(store.objects) == 7
    assert await found(store, connections) == {}
    assert await remove_orphans(store, connections, before=store.changed_at + DAY) == 0


async def test_objects_of_deleted_posts_go_and_so_does_what_was_never_recorded(
    store: FakeObjectStore, publishing: Publishing, connections: Connections
) -> None:
    deleted, published = uuid4(), uuid4()
    for post_id in (deleted, published):
        for command in publishing_commands(post_id):
            publishing.execute(command)
    publishing.execute(delete_post(deleted))
    never_recorded = variant_key(published, "medium", sha256="f" * 64)
    late = variant_key(deleted, "medium", sha256="2" * 64)
    for key in (original_key(deleted), late, never_recorded):
        store.arrive(key, b"nothing needs it")
    store.arrive(original_key(published), b"the original")
    assert await found(store, connections) == {
        original_key(deleted): "post_is_deleted",
        late: "post_is_deleted",
        never_recorded: "never_recorded",
    }
    assert await remove_orphans(store, connections, before=store.changed_at + DAY) == 3
    assert list(store.objects) == [original_key(published)]


async def test_what_is_stored_and_recorded_while_the_janitor_works_stays(
    store: FakeObjectStore, publishing: Publishing, connections: Connections
) -> None:
    post_id = uuid4()
    for command in (create_post(post_id), confirm_upload(post_id), fail_post(post_id)):
        publishing.execute(command)
    variant = record_variant(post_id, "medium")
    store.arrive(variant.variant.key, b"left by an attempt that failed")
    [orphan] = [one async for one in find_orphans(store, connections, before=NEVER)]
    # The owner has it tried again: the same bytes come, and are recorded a moment later.
    store.changed_at += timedelta(seconds=1)
    assert not await remove_orphan(orphan, store, connections)
    publishing.execute(retry_post(post_id))
    publishing.execute(variant)
    store.changed_at -= timedelta(seconds=1)
    assert not await remove_orphan(orphan, store, connections)
    assert list(store.objects) == [variant.variant.key]


async def test_of_a_post_with_a_damaged_event_nothing_is_removed(
    store: FakeObjectStore, publishing: Publishing, connections: Connections
) -> None:
    post_id = uuid4()
    for command in publishing_commands(post_id):
        publishing.execute(command)
    store.arrive(record_variant(post_id, "medium").variant.key, b"a variant")
    async with connections.connection() as connection:
        await connection.execute("ALTER TABLE post_events DISABLE TRIGGER USER")
        await connection.execute("UPDATE post_events SET state = '' WHERE topic LIKE '%ready'")
    assert await found(store, connections) == {}


async def test_photos_of_posts_that_a_restored_database_does_not_know_are_told_and_kept(
    store: FakeObjectStore, connections: Connections
) -> None:
    unknown = original_key(uuid4())
    store.arrive(unknown, b"the only copy there is")
    assert await found(store, connections) == {unknown: "no_such_post"}
    assert await remove_orphans(store, connections, before=store.changed_at + DAY) == 0
    assert list(store.objects) == [unknown]


async def test_what_is_young_is_kept_until_it_is_old_enough(
    store: FakeObjectStore, publishing: Publishing, connections: Connections
) -> None:
    post_id = uuid4()
    for command in (create_post(post_id), delete_post(post_id)):
        publishing.execute(command)
    store.arrive(original_key(post_id), b"just arriving")
    assert await remove_orphans(store, connections, before=store.changed_at) == 0
    older = store.changed_at + timedelta(seconds=1)
    assert await remove_orphans(store, connections, before=older) == 1


@pytest.mark.parametrize("last", ["post.uploaded", "post.variant_ready", "post.retried"])
async def test_variants_of_a_post_that_is_worked_on_may_be_recorded_at_any_time(
    store: FakeObjectStore, publishing: Publishing, connections: Connections, last: str
) -> None:
    post_id = uuid4()
    publishing.execute(create_post(post_id))
    publishing.execute(confirm_upload(post_id))
    if last == "post.variant_ready":
        publishing.execute(record_variant(post_id, "thumbnail"))
    if last == "post.retried":
        publishing.execute(fail_post(post_id))
        publishing.execute(retry_post(post_id))
    assert topic_of(publishing.history(post_id)[-1]) == last
    store.arrive(variant_key(post_id, "medium", sha256="f" * 64), b"stored, not recorded yet")
    assert await found(store, connections) == {}


async def test_what_others_keep_in_the_bucket_is_theirs(
    store: FakeObjectStore, connections: Connections
) -> None:
    for key in ("uploads/readme.txt", "variants/not-a-post/a.jpg", f"uploads/{uuid4()}/notes", "x"):
        store.arrive(key, b"somebody else's")
    assert await found(store, connections) == {}


async def test_orphans_are_found_on_every_page_of_a_listing(
    store: FakeObjectStore, connections: Connections
) -> None:
    keys = [original_key(uuid4()) for _ in range(7)]
    for key in keys:
        store.arrive(key, b"an original")
    assert sorted(await found(store, connections)) == sorted(keys)
