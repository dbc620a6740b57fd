"""The log: the events of all posts in the order of their positions."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import class_row

from domain.event_store.mapper import EventRow, UnreadableEvent, decode_event
from domain.events import Event
from projections.connection import fetch_value

# Every append notifies here. A hint to poll: a notification may be lost.
CHANNEL: Final = "post_events"

_AFTER: Final = """
SELECT notification_id AS position, originator_id AS post_id, originator_version AS version,
       topic, state
FROM post_events
WHERE notification_id > %(position)s
ORDER BY notification_id
LIMIT %(limit)s
"""
_HEAD: Final = """
SELECT coalesce(max(notification_id), 0) FROM post_events
"""


class LoggedEvent(Struct, frozen=True, gc=False):
    """An event and its position in the log."""

    position: int
    event: Event


class LogRow(EventRow, frozen=True, kw_only=True):
    """A stored row of the log and its position."""

    position: int


async def read_log(
    connection: AsyncConnection[object], after_position: int, *, limit: int
) -> list[LogRow]:
    """The next rows after a position, oldest first."""
    async with connection.cursor(row_factory=class_row(LogRow), binary=True) as cursor:
        await cursor.execute(_AFTER, {"position": after_position, "limit": limit}, prepare=True)
        return await cursor.fetchall()


def decode_log(rows: Sequence[LogRow]) -> list[LoggedEvent]:
    """The events of some rows, up to the first that cannot be decoded.

    Raises:
        UnreadableEvent: the very first cannot be decoded.
    """
    readable: list[LoggedEvent] = []
    for row in rows:
        try:
            readable.append(LoggedEvent(row.position, decode_event(row)))
        except UnreadableEvent:
            if not readable:
                raise
            break
    return readable


async def head_position(connection: AsyncConnection[object]) -> int:
    """The position of the newest event; 0 for an empty log."""
    return int(await fetch_value(connection, _HEAD))
