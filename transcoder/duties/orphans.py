"""Orphans: stored objects that no event of a living post refers to, found and removed.

Objects younger than any upload or attempt are left alone, and so are keys of another form. Objects
of unknown posts are reported and never removed: a post is in the database before its photo is in
the bucket, so this database must be the wrong one, or an older backup.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias
from uuid import UUID

import structlog
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from domain.keys import ORIGINALS_PREFIX, VARIANTS_PREFIX, post_of_key
from transcoder.object_store.protocol import ListedObject, ObjectStore

# No worker still holds its job that long after storing a variant.
ORPHANS_OLDER_THAN: Final = timedelta(hours=24)

Connections: TypeAlias = AsyncConnectionPool[AsyncConnection[object]]
Why: TypeAlias = Literal["no_such_post", "post_is_deleted", "never_recorded"]

# Defined beside the log that it reads.
_NEEDED: Final = "SELECT * FROM needed_objects(%(post_ids)s)"

_log = structlog.get_logger(__name__)


class Orphan(Struct, frozen=True, kw_only=True):
    """An object that nothing needs, and why."""

    key: str
    file_size: int
    changed_at: datetime
    why: Why

    @property
    def is_removable(self) -> bool:
        """Whether it is certain that nothing will ever need the object."""
        return self.why != "no_such_post"


class _Needed(Struct, frozen=True, kw_only=True):
    post_id: UUID
    is_deleted: bool
    is_settled: bool
    keys: list[str]


async def find_orphans(
    store: ObjectStore,
    connections: Connections,
    *,
    before: datetime,
    prefixes: Sequence[str] = (ORIGINALS_PREFIX, VARIANTS_PREFIX),
) -> AsyncGenerator[Orphan]:
    """Yield the orphans last changed before `before`; one request per thousand objects.

    Raises:
        ObjectStoreUnavailable: the object store does not answer.
    """
    for prefix in prefixes:
        page = await store.list_page(prefix)
        while page:
            old = [found for found in page if found.changed_at < before]
            for orphan in await _orphans(old, connections):
                yield orphan
            page = await store.list_page(prefix, after=page[-1].key)


async def remove_orphans(store: ObjectStore, connections: Connections, *, before: datetime) -> int:
    """Remove the removable orphans, and return their number.

    Raises:
        ObjectStoreUnavailable: the object store does not answer.
    """
    removed = 0
    async with aclosing(find_orphans(store, connections, before=before)) as orphans:
        async for orphan in orphans:
            if not orphan.is_removable:
                _log.warning("unknown_object", key=orphan.key)
            elif await remove_orphan(orphan, store, connections):
                _log.info("removed_orphan", key=orphan.key, why=orphan.why)
                removed += 1
    return removed


async def remove_orphan(orphan: Orphan, store: ObjectStore, connections: Connections) -> bool:
    """Remove an orphan unless it is needed by now: a retry may store the same bytes again.

    Raises:
        ObjectStoreUnavailable: the object store does not answer.
    """
    # In this order: an object stored after the first query shows a new time in the second.
    still = await _orphans(
        [ListedObject(key=orphan.key, file_size=orphan.file_size, changed_at=orphan.changed_at)],
        connections,
    )
    now = [found for found in await store.list_page(orphan.key) if found.key == orphan.key]
    is_orphan = bool(still) and [found.changed_at for found in now] == [orphan.changed_at]
    if is_orphan:
        await store.remove(orphan.key)
    return is_orphan


async def _orphans(found: list[ListedObject], connections: Connections) -> list[Orphan]:
    posts = {each.key: post_of_key(each.key) for each in found}
    post_ids = sorted({post_id for post_id in posts.values() if post_id is not None})
    needed = await _needed(connections, post_ids) if post_ids else {}
    orphans = []
    for each in found:
        post_id = posts[each.key]
        if post_id is not None and (why := _why(each.key, needed.get(post_id))):
            orphans.append(
                Orphan(key=each.key, file_size=each.file_size, changed_at=each.changed_at, why=why)
            )
    return orphans


def _why(key: str, post: _Needed | None) -> Why | None:
    if post is None:
        return "no_such_post"
    if post.is_deleted:
        return "post_is_deleted"
    # While a post is processing, any of its variants may be recorded the next moment.
    return "never_recorded" if post.is_settled and key not in post.keys else None


async def _needed(connections: Connections, post_ids: list[UUID]) -> dict[UUID, _Needed]:
    async with (
        connections.connection() as connection,
        connection.cursor(row_factory=class_row(_Needed)) as cursor,
    ):
        await cursor.execute(_NEEDED, {"post_ids": post_ids})
        return {post.post_id: post async for post in cursor}
