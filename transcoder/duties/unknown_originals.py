"""Unknown originals: photos in the bucket that a restored log does not know become posts again.

The janitor keeps every object of a post that is not in the log, so both may run side by side.
"""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, get_args
from uuid import UUID

from msgspec import Struct

from domain.commands import AdoptOriginal, Origin
from domain.formats import ContentType
from domain.keys import ORIGINALS_PREFIX, post_of_key
from transcoder.async_publishing import AsyncPublishing
from transcoder.duties.orphans import Connections, find_orphans
from transcoder.object_store.protocol import ObjectStore

Obstacle: TypeAlias = Literal["no_owner", "not_a_photo"]

_TYPES: Final[dict[str, ContentType]] = {each: each for each in get_args(ContentType)}
_ANY_AGE: Final = datetime.max.replace(tzinfo=UTC)


class UnknownOriginal(Struct, frozen=True, kw_only=True):
    """An original that no event knows, as the store describes it; `sha256` is None if in parts.

    `obstacle` is why it cannot be adopted: the store knows no owner of it, or it is no photo.
    """

    post_id: UUID
    key: str
    user_id: UUID | None
    content_type: str
    file_size: int
    sha256: str | None
    changed_at: datetime

    @property
    def obstacle(self) -> Obstacle | None:
        """What keeps it from being adopted."""
        if self.content_type not in _TYPES:
            return "not_a_photo"
        return "no_owner" if self.user_id is None else None


async def find_unknown_originals(
    store: ObjectStore, connections: Connections, *, owner: UUID | None = None
) -> AsyncGenerator[UnknownOriginal]:
    """Yield the originals of posts that are not in the log; `owner` is of those without one.

    Raises:
        ObjectStoreUnavailable: the object store does not answer.
    """
    found = find_orphans(store, connections, before=_ANY_AGE, prefixes=(ORIGINALS_PREFIX,))
    async with aclosing(found) as orphans:
        async for orphan in orphans:
            post_id = post_of_key(orphan.key)
            stored = await store.stat(orphan.key) if orphan.why == "no_such_post" else None
            if post_id is None or stored is None:
                continue
            yield UnknownOriginal(
                post_id=post_id,
                key=orphan.key,
                user_id=stored.user_id or owner,
                content_type=stored.content_type,
                file_size=stored.file_size,
                sha256=stored.sha256,
                changed_at=orphan.changed_at,
            )


async def adopt_original(
    original: UnknownOriginal, store: ObjectStore, publishing: AsyncPublishing, *, origin: Origin
) -> bool:
    """Make a post of an original, behind all live posts; False if it has an obstacle or a post.

    One append stores both events and the job, so that a post is adopted whole or not at all.

    Raises:
        ObjectStoreUnavailable: the object store does not answer.
        EventStoreUnavailable: no answer; a retry is safe.
    """
    content_type = _TYPES.get(original.content_type)
    sha256 = original.sha256 or await _hash(store, original.key)
    if content_type is None or original.user_id is None or sha256 is None:
        return False
    command = AdoptOriginal(
        origin=origin,
        post_id=original.post_id,
        user_id=original.user_id,
        content_type=content_type,
        file_size=original.file_size,
        sha256=sha256,
        image_key=original.key,
    )
    return bool((await publishing.execute(command, lane="bulk")).events)


async def _hash(store: ObjectStore, key: str) -> str | None:
    """The SHA-256 of an object made of parts, of which no store knows it."""
    content = await store.read(key)
    return None if content is None else hashlib.sha256(content).hexdigest()
