"""Failures: the event that stopped a projection, and the two ways on: retry it or skip it."""

from datetime import datetime
from typing import Final

import psycopg
from msgspec import Struct
from psycopg import AsyncConnection

from domain.event_store.mapper import UnreadableEvent
from domain.event_store.outages import is_refused
from projections.connection import fetch_one, fetch_value, fetch_values

# The event after the tracking position is the one that cannot be projected.
_RECORD: Final = """
INSERT INTO projection_failures (projection, position, error)
SELECT projection, (
    SELECT min(notification_id) FROM post_events WHERE notification_id > tracking.position
), %(error)s
FROM projection_positions AS tracking WHERE projection = %(projection)s
ON CONFLICT (projection) DO UPDATE
SET position = excluded.position, error = excluded.error, failed_at = now()
RETURNING position
"""
# What a newer process has projected since, an older one's failure stops no more.
_GET: Final = """
SELECT failure.position, error, failed_at
FROM projection_failures AS failure JOIN projection_positions AS tracking USING (projection)
WHERE projection = %(projection)s AND failure.position > tracking.position
"""
_CLEAR: Final = """
DELETE FROM projection_failures WHERE projection = %(projection)s RETURNING position
"""
_CLAIM: Final = """
SELECT position FROM projection_positions WHERE projection = %(projection)s FOR UPDATE
"""
_SKIP: Final = """
WITH failure AS (
    DELETE FROM projection_failures
    WHERE projection = %(projection)s AND position = %(position)s RETURNING error
), skipped AS (
    INSERT INTO projection_skips (projection, position, error, reason, skipped_by)
    SELECT %(projection)s, %(position)s, error, %(reason)s, %(skipped_by)s FROM failure
    RETURNING position
)
UPDATE projection_positions SET position = skipped.position, updated_at = now() FROM skipped
WHERE projection = %(projection)s
RETURNING projection
"""
_SKIPPED: Final = """
SELECT position FROM projection_skips WHERE projection = %(projection)s
"""


class Failure(Struct, frozen=True, kw_only=True):
    """The position of the event that stopped a projection, and why."""

    position: int
    error: str
    failed_at: datetime


class NotStoppedThere(Exception):
    """The projection is not stopped at this event, so there is nothing to skip."""

    def __init__(self, name: str, *, position: int) -> None:
        super().__init__(f"projection {name} is not stopped at position {position}")
        self.name = name
        self.position = position


def is_poison(error: Exception) -> bool:
    """Whether one event causes the error, so that no retry cures it."""
    match error:
        case UnreadableEvent():
            return True
        case psycopg.Error():
            return is_refused(error)
        case _:
            return False


async def record_failure(connection: AsyncConnection[object], name: str, error: Exception) -> int:
    """Record that the next event of the log stopped this projection; the event's position."""
    failed = {"projection": name, "error": _summary(error)}
    position: int = await fetch_value(connection, _RECORD, failed)
    return position


async def failure_of(connection: AsyncConnection[object], name: str) -> Failure | None:
    """The failure of this projection; None while it follows."""
    return await fetch_one(connection, Failure, _GET, {"projection": name})


async def retry(connection: AsyncConnection[object], name: str) -> int | None:
    """Clear the failure of a projection; the position it was stopped at, or None."""
    position: int | None = await fetch_value(connection, _CLEAR, {"projection": name})
    return position


async def skip(
    connection: AsyncConnection[object], name: str, position: int, *, reason: str, by: str
) -> None:
    """Skip exactly the event at which this projection is stopped, and record who did.

    Raises:
        NotStoppedThere: it is not stopped, or at another event; nothing was changed.
    """
    skipped = {"projection": name, "position": position, "reason": reason, "skipped_by": by}
    async with connection.transaction():
        await connection.execute(_CLAIM, skipped)
        if await fetch_value(connection, _SKIP, skipped) is None:
            raise NotStoppedThere(name, position=position)


async def skipped_positions(connection: AsyncConnection[object], name: str) -> set[int]:
    """The positions of the events that operators skipped in this projection."""
    return set(await fetch_values(connection, _SKIPPED, {"projection": name}))


def _summary(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
