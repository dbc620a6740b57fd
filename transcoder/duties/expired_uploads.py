"""Expired uploads: announced photos that were not uploaded in time are closed."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog
from psycopg import AsyncConnection
from psycopg.rows import scalar_row
from psycopg_pool import AsyncConnectionPool

from domain.commands import ExpireUpload, Origin
from domain.errors import PostNotFound
from domain.event_store.mapper import UnreadableEvent
from transcoder.async_publishing import AsyncPublishing

ACTOR: Final = "system:expired-uploads"
# A PUT that began just before its URL expired may still be running: its object comes first.
GRACE: Final = timedelta(minutes=5)
# Per run: what is left over is closed by the next one, a minute later.
MAX_UPLOADS: Final = 1000

# Defined beside the read table that it reads.
_EXPIRED: Final = "SELECT post_id FROM expired_uploads(%(before)s, %(at_most)s)"

_log = structlog.get_logger(__name__)


async def close_expired_uploads(
    connections: AsyncConnectionPool[AsyncConnection[object]],
    publishing: AsyncPublishing,
    *,
    now: datetime | None = None,
) -> int:
    """Close up to `MAX_UPLOADS` expired uploads and return how many were closed.

    Each close queues, in the same transaction, a job that removes whatever was uploaded. `now` is
    the database's clock if not given: this machine's may be wrong.
    """
    now = now or await database_now(connections)
    closed = 0
    for post_id in await open_uploads(connections, ending_before=now - GRACE):
        closed += await _close(post_id, publishing, now=now)
    if closed:
        _log.info("closed_expired_uploads", uploads=closed)
    return closed


async def _close(post_id: UUID, publishing: AsyncPublishing, *, now: datetime) -> bool:
    origin = Origin(
        command_id=uuid4(), actor=ACTOR, at=now, correlation_id=uuid4(), causation_id=post_id
    )
    try:
        outcome = await publishing.execute(ExpireUpload(origin=origin, post_id=post_id))
    except PostNotFound:
        # The read table is a moment behind: the owner has just deleted the post.
        return False
    except UnreadableEvent:
        # An operator skipped this event; the other uploads are closed all the same.
        _log.exception("not_closed", post_id=str(post_id))
        return False
    return bool(outcome.events)


async def database_now(connections: AsyncConnectionPool[AsyncConnection[object]]) -> datetime:
    """The time in UTC by the database's clock."""
    async with (
        connections.connection() as connection,
        connection.cursor(row_factory=scalar_row) as cursor,
    ):
        await cursor.execute("SELECT now()")
        found: datetime | None = await cursor.fetchone()
    assert found is not None  # noqa: S101 - there is always a now
    return found.astimezone(UTC)


async def open_uploads(
    connections: AsyncConnectionPool[AsyncConnection[object]], *, ending_before: datetime
) -> list[UUID]:
    """Up to `MAX_UPLOADS` posts whose uploads are open and end before a time, oldest first."""
    async with (
        connections.connection() as connection,
        connection.cursor(row_factory=scalar_row) as cursor,
    ):
        await cursor.execute(_EXPIRED, {"before": ending_before, "at_most": MAX_UPLOADS})
        return await cursor.fetchall()
