"""Arrived uploads: photos whose client died between PUT and `complete` are completed for it.

They are looked for before the upload ends, and again before it is closed, which removes the photo.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.commands import ConfirmUpload, Origin
from domain.errors import PostNotFound
from domain.event_store.mapper import UnreadableEvent
from domain.post import Post
from transcoder.async_publishing import AsyncPublishing
from transcoder.duties.expired_uploads import database_now, open_uploads
from transcoder.object_store.protocol import ObjectStore, StoredObject

ACTOR: Final = "system:auto-complete"
# A client that lives completes its upload at once; each upload left open costs a HEAD per minute.
BEFORE_END: Final = timedelta(minutes=10)

_log: Final = structlog.get_logger(__name__)


async def complete_arrived_uploads(
    connections: AsyncConnectionPool[AsyncConnection[object]],
    publishing: AsyncPublishing,
    store: ObjectStore,
    *,
    now: datetime | None = None,
) -> int:
    """Complete the open uploads that end soon and whose announced bytes are stored; their number.

    `now` is the database's clock if not given.

    Raises:
        ObjectStoreUnavailable: the object store does not answer, so nothing is known of the rest.
    """
    now = now or await database_now(connections)
    completed = 0
    for post_id in await open_uploads(connections, ending_before=now + BEFORE_END):
        completed += await _complete(post_id, publishing, store, now=now)
    if completed:
        _log.info("completed_arrived_uploads", uploads=completed)
    return completed


async def _complete(
    post_id: UUID, publishing: AsyncPublishing, store: ObjectStore, *, now: datetime
) -> bool:
    origin = Origin(
        command_id=uuid4(), actor=ACTOR, at=now, correlation_id=uuid4(), causation_id=post_id
    )
    try:
        post = await publishing.post(post_id)
        stored = await store.stat(post.image_key)
        if post.status != "pending" or stored is None or not _is_announced(stored, post):
            return False
        command = ConfirmUpload(origin=origin, post_id=post_id, may_be_late=True)
        return bool((await publishing.execute(command, known=post)).events)
    except PostNotFound:
        # The read table is a moment behind: the owner has just deleted the post.
        return False
    except UnreadableEvent:
        # An operator skipped this event; the other uploads are completed all the same.
        _log.exception("not_completed", post_id=str(post_id))
        return False


def _is_announced(stored: StoredObject, post: Post) -> bool:
    # No store knows the hash of a whole made of parts: the worker compares it.
    is_checked_later = stored.checksum_of_parts is not None
    return stored.file_size == post.file_size and (is_checked_later or stored.sha256 == post.sha256)
