"""Failures: where a projection stopped, and the two ways to go on: retry, or skip one event."""

from datetime import datetime
from typing import Final

import psycopg
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from domain.event_store.mapper import UnreadableEvent

# What one event does, and what comes back however often it is tried.
POISON: Final = (UnreadableEvent, psycopg.DataError, psycopg.IntegrityError)

# The event after the tracking position is the one that could not be processed.
_RECORD: Final = """
INSERT INTO projection_failures (projection, position, error)
SELECT projection, (
    SELECT min(notification_id) FROM post_events WHERE notification_id > tracking.position
), %(error)s
FROM projection_positions AS tracking WHERE projection = %(projection)s
ON CONFLICT (projection) DO UPDATE
SET position = excluded.position, error = excluded.error, failed_at = now()
"""
_GET: Final = """
SELECT position, error, failed_at FROM projection_failures WHERE projection = %(projection)s
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
    """The event, by its position in the log, that stopped a projection."""

    position: int
    error: str
    failed_at: datetime


class NotStoppedThere(Exception):
    """The projection is not stopped at this event: there is nothing to skip."""

    def __init__(self, name: str, *, position: int) -> None:
        super().__init__(f"projection {name} is not stopped at position {position}")
        self.name = name
        self.position = position


async def record_failure(connection: AsyncConnection[object], name: str, error: Exception) -> None:
    """Record that the next event of the log stopped this projection."""
    await connection.execute(_RECORD, {"projection": name, "error": _summary(error)})


async def failure_of(connection: AsyncConnection[object], name: str) -> Failure | None:
    """What stopped this projection, or None while it follows."""
    async with connection.cursor(row_factory=class_row(Failure)) as cursor:
        await cursor.execute(_GET, {"projection": name})
        return await cursor.fetchone()


async def retry(connection: AsyncConnection[object], name: str) -> int | None:
    """Let a stopped projection try again; the position it was stopped at, or None."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_CLEAR, {"projection": name})
        return await cursor.fetchone()


async def skip(
    connection: AsyncConnection[object], name: str, position: int, *, reason: str, by: str
) -> None:
    """Leave out exactly the event at which this projection is stopped, and record who said so.

    Raises:
        NotStoppedThere: it is not stopped, or at another event; nothing was changed.
    """
    skipped = {"projection": name, "position": position, "reason": reason, "skipped_by": by}
    async with connection.transaction(), connection.cursor() as cursor:
        await cursor.execute(_CLAIM, skipped)
        await cursor.execute(_SKIP, skipped)
        if await cursor.fetchone() is None:
            raise NotStoppedThere(name, position=position)


async def skipped_positions(connection: AsyncConnection[object], name: str) -> set[int]:
    """The events that operators left out of this projection, by position."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_SKIPPED, {"projection": name})
        return set(await cursor.fetchall())


def _summary(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
