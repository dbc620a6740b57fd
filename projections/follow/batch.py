"""One batch of following the log: rows and tracking position in one transaction."""

from collections.abc import Iterator, Sequence
from typing import Final, LiteralString

import psycopg
from msgspec import Struct
from psycopg import AsyncConnection

from domain.event_store.mapper import UnreadableEvent
from domain.event_store.outages import is_refused
from projections.connection import fetch_value
from projections.follow.projection import Projection
from projections.log.reading import LoggedEvent, LogRow, decode_log, read_log
from projections.tables.change import execute_change

# Larger batches are no faster, and hold the row lock longer than a live write may wait for it.
BATCH_EVENTS: Final = 4000
# The server works on one part while the next one is decoded here.
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


class UnknownProjection(Exception):
    """The database has no position for this projection: its migration has not been run."""

    def __init__(self, name: str) -> None:
        super().__init__(f"projection {name} is not in this database: run `nova migrate` first")
        self.name = name


class Batch(Struct, frozen=True):
    """The outcome of one batch: its events, the tracking position after it, and its last part."""

    events: int
    position: int
    last_part: Sequence[LoggedEvent] = ()


async def project_batch(
    connection: AsyncConnection[object], projection: Projection, *, limit: int = BATCH_EVENTS
) -> Batch:
    """Follow the log by up to `limit` events; rows and position commit together.

    The row lock on the position serialises followers, so that no event is projected twice. The
    batch ends before an event that cannot be decoded.

    Raises:
        UnreadableEvent: the next event of the log cannot be decoded.
        UnknownProjection: the migrations have not been run.
        psycopg.Error: a statement failed; nothing of the batch is stored.
    """
    async with connection.transaction():
        position = await _claim(connection, projection)
        rows = await read_log(connection, position, limit=limit)
        return await _apply(connection, projection, rows) if rows else Batch(0, position)


async def project_until_refused(
    connection: AsyncConnection[object], projection: Projection
) -> Batch:
    """One batch; if a table refuses one of its events, everything before that event.

    Raises:
        UnreadableEvent: the next event of the log cannot be decoded.
        psycopg.Error: the next event of the log is refused, or the database failed.
    """
    try:
        return await project_batch(connection, projection)
    except psycopg.Error as error:
        if not is_refused(error):
            raise
        for _ in range(BATCH_EVENTS):
            await project_batch(connection, projection, limit=1)
        return await project_batch(connection, projection, limit=1)


async def _claim(connection: AsyncConnection[object], projection: Projection) -> int:
    return await _position(connection, projection, _CLAIM)


async def tracking_position(connection: AsyncConnection[object], projection: Projection) -> int:
    """The position of the last event that the projection has followed.

    Raises:
        UnknownProjection: the migrations have not been run.
    """
    return await _position(connection, projection, _POSITION)


async def _position(
    connection: AsyncConnection[object], projection: Projection, query: LiteralString
) -> int:
    position = await fetch_value(connection, query, {"projection": projection.name})
    if position is None:
        raise UnknownProjection(projection.name)
    return int(position)


async def _apply(
    connection: AsyncConnection[object], projection: Projection, rows: Sequence[LogRow]
) -> Batch:
    """Change the tables part by part, in a pipeline: no statement waits for an earlier reply."""
    events, position = 0, 0
    part: Sequence[LoggedEvent] = ()
    async with connection.pipeline(), connection.cursor() as cursor:
        for part in _readable_parts(rows):
            for change in projection.changes([one.event for one in part]):
                await execute_change(cursor, change)
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
