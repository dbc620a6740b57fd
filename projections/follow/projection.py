"""A projection: a name, the tables it keeps, and one batch of following the log."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, LiteralString

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import scalar_row

from domain.event_store.mapper import UnreadableEvent
from domain.events import Event
from projections.log.reading import LoggedEvent, LogRow, decode_log, read_log
from projections.tables import post_images, post_metadata, posts, upload_sessions
from projections.tables.change import Change, make

BATCH_EVENTS: Final = 4000
PART_EVENTS: Final = 1000

_CLAIM: Final = """
SELECT position FROM projection_positions WHERE projection = %(projection)s FOR UPDATE
"""
_POSITION: Final = """
SELECT position FROM projection_positions WHERE projection = %(projection)s
"""
_ADVANCE: Final = """
UPDATE projection_positions SET position = %(position)s, updated_at = now()
WHERE projection = %(projection)s
"""


class Projection(Struct, frozen=True, kw_only=True):
    """A set of read tables that follow the log together, in one transaction per batch."""

    name: str
    tables: tuple[Callable[[Sequence[Event]], list[Change]], ...]

    def changes(self, events: Sequence[Event]) -> list[Change]:
        """What `events` do to all the tables, in an order that their references allow."""
        return [change for table in self.tables for change in table(events)]


POSTS: Final = Projection(
    name="posts",
    tables=(posts.changes, post_images.changes, post_metadata.changes, upload_sessions.changes),
)


PROJECTIONS: Final = {POSTS.name: POSTS}


class UnknownProjection(Exception):
    """The database has no position for this projection: its migrations have not been run."""

    def __init__(self, name: str) -> None:
        super().__init__(f"projection {name} is not in this database: run `nova migrate` first")
        self.name = name


class Batch(Struct, frozen=True):
    """What one batch did: how many events, the tracking position after it, and the last part."""

    events: int
    position: int
    last_part: Sequence[LoggedEvent] = ()


async def project_batch(
    connection: AsyncConnection[object], projection: Projection, *, limit: int = BATCH_EVENTS
) -> Batch:
    """Follow the log by up to `limit` events; rows and position commit together.

    The row lock on the position makes any number of followers take turns, so that no event is
    ever projected twice, whoever runs this. The batch ends before an event that cannot be read.

    Raises:
        UnreadableEvent: the next event of the log is something that this code cannot read.
        psycopg.Error: a statement failed; nothing of the batch is stored.
    """
    async with connection.transaction():
        position = await _claim(connection, projection)
        rows = await read_log(connection, position, limit=limit)
        return await _apply(connection, projection, rows) if rows else Batch(0, position)


async def _claim(connection: AsyncConnection[object], projection: Projection) -> int:
    return await _position(connection, projection, _CLAIM)


async def tracking_position(connection: AsyncConnection[object], projection: Projection) -> int:
    """How far the projection has followed the log.

    Raises:
        UnknownProjection: the migrations have not been run.
    """
    return await _position(connection, projection, _POSITION)


async def _position(
    connection: AsyncConnection[object], projection: Projection, query: LiteralString
) -> int:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(query, {"projection": projection.name})
        position = await cursor.fetchone()
    if position is None:
        raise UnknownProjection(projection.name)
    return int(position)


async def _apply(
    connection: AsyncConnection[object], projection: Projection, rows: Sequence[LogRow]
) -> Batch:
    """Change the tables by one part of the rows after the other.

    In a pipeline nobody waits for an answer: the server works on one part while the next one is
    decoded here.
    """
    events, position = 0, 0
    part: Sequence[LoggedEvent] = ()
    async with connection.pipeline(), connection.cursor() as cursor:
        for part in _readable_parts(rows):
            for change in projection.changes([one.event for one in part]):
                await make(cursor, change)
            events, position = events + len(part), part[-1].position
        advanced = {"projection": projection.name, "position": position}
        await cursor.execute(_ADVANCE, advanced)
    return Batch(events, position, part)


def _readable_parts(rows: Sequence[LogRow]) -> Iterator[list[LoggedEvent]]:
    for start in range(0, len(rows), PART_EVENTS):
        part = rows[start : start + PART_EVENTS]
        try:
            logged = decode_log(part)
        except UnreadableEvent:
            if start == 0:
                raise
            return
        yield logged
        if len(logged) < len(part):
            return
