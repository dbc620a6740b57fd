"""Expired uploads: announced photos that never came are closed."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog
from anyio import to_thread
from psycopg import AsyncConnection
from psycopg.rows import scalar_row
from psycopg_pool import AsyncConnectionPool

from domain.commands import ExpireUpload, Origin
from domain.errors import PostNotFound
from domain.event_store.mapper import UnreadableEvent
from domain.event_store.publishing import Publishing

ACTOR: Final = "system:expired-uploads"
# A PUT that began just before its URL expired gets this long to end before its object goes.
GRACE: Final = timedelta(minutes=5)
AT_MOST: Final = 1000

# Defined beside the read table that it reads.
_EXPIRED: Final = "SELECT post_id FROM expired_uploads(%(before)s, %(at_most)s)"

_log = structlog.get_logger(__name__)


async def close_expired_uploads(
    pool: AsyncConnectionPool[AsyncConnection[object]],
    publishing: Publishing,
    *,
    now: datetime | None = None,
) -> int:
    """Close up to `AT_MOST` uploads whose time is over and return how many were closed.

    Each close queues a job, in the same transaction, that removes whatever may have come. Their
    time is over by the database's clock: this machine's may be wrong.
    """
    closed = 0
    now = now or await _now(pool)
    for post_id in await _expired(pool, before=now - GRACE):
        origin = Origin(
            command_id=uuid4(), actor=ACTOR, at=now, correlation_id=uuid4(), causation_id=post_id
        )
        command = ExpireUpload(origin=origin, post_id=post_id)
        try:
            outcome = await to_thread.run_sync(publishing.execute, command)
        except PostNotFound:
            # The read table is a moment behind: its owner has just deleted it.
            continue
        except UnreadableEvent:
            # Whoever skipped it knows; the others' uploads are closed all the same.
            _log.exception("not_closed", post_id=str(post_id))
            continue
        closed += bool(outcome.events)
    if closed:
        _log.info("closed_expired_uploads", uploads=closed)
    return closed


async def _now(pool: AsyncConnectionPool[AsyncConnection[object]]) -> datetime:
    async with pool.connection() as connection, connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT now()")
        found: datetime | None = await cursor.fetchone()
    assert found is not None  # noqa: S101 - there is always a now
    return found.astimezone(UTC)


async def _expired(
    pool: AsyncConnectionPool[AsyncConnection[object]], *, before: datetime
) -> list[UUID]:
    async with pool.connection() as connection, connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_EXPIRED, {"before": before, "at_most": AT_MOST})
        return await cursor.fetchall()
