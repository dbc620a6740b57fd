"""Verify: the read tables against a fold of the log, at one position, with every difference named.

Both sides come post by post, in the order of ids, from one snapshot: memory holds one post.
"""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Any, Final, LiteralString
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection, sql
from psycopg.rows import tuple_row

from domain.events import Event
from domain.mapper import EventRow, decode_event
from projections.expected import READ_TABLES, Row, expected_rows, post_of
from projections.failures import skipped_positions
from projections.projection import Projection, tracking_position

FETCH_ROWS: Final = 2000

_BY_POST: Final[LiteralString] = """
SELECT originator_id, originator_version, topic, state, notification_id FROM post_events
WHERE notification_id <= {position} ORDER BY originator_id, originator_version
"""


class Difference(Struct, frozen=True, kw_only=True):
    """One row that is not what the events say; None where there is or should be none."""

    table: str
    key: str
    expected: list[Any] | None
    found: list[Any] | None


class TableReport(Struct, kw_only=True):
    """One table: how many rows the events say, how many there are, and a digest of each side."""

    table: str
    expected_rows: int = 0
    found_rows: int = 0
    expected_digest: str = ""
    found_digest: str = ""


class Verification(Struct, frozen=True, kw_only=True):
    """What was compared, at which position of the log, and every row that differs."""

    projection: str
    position: int
    events: int
    skipped_events: int
    tables: list[TableReport]
    differences: list[Difference]


async def verify(
    connection: AsyncConnection[object], projection: Projection, *, honour_skips: bool = True
) -> Verification:
    """Compare what the connection's search path shows with the events up to its position.

    Raises:
        UnreadableEvent: an event up to there is unreadable and was not skipped.
        UnknownProjection: the migrations have not been run.
    """
    async with connection.transaction(), AsyncExitStack() as streams:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        position = await tracking_position(connection, projection)
        skips = await skipped_positions(connection, projection.name) if honour_skips else set()
        tables = [_Side(connection, name, query) for name, query in READ_TABLES.items()]
        for table in tables:
            await streams.enter_async_context(aclosing(table.rows))
        differences: list[Difference] = []
        folded = 0
        history = _histories(connection, position, skips)
        async with aclosing(history):
            async for post_id, events in history:
                folded += len(events)
                rows = expected_rows(events)
                for table in tables:
                    differences += await table.compare(post_id, rows[table.report.table])
        for table in tables:
            differences += await table.finish()
        return Verification(
            projection=projection.name,
            position=position,
            events=folded,
            skipped_events=len(skips),
            tables=[table.report for table in tables],
            differences=differences,
        )


async def _histories(
    connection: AsyncConnection[object], position: int, skips: set[int]
) -> AsyncGenerator[tuple[UUID, list[Event]], None]:
    query = sql.SQL(_BY_POST).format(position=sql.Literal(position))
    events: list[Event] = []
    current: UUID | None = None
    async for post_id, version, topic, state, at in _stream(connection, "post_events", query):
        if post_id != current:
            if current is not None:
                yield current, events
            current, events = post_id, []
        if at not in skips:
            row = EventRow(post_id=post_id, version=version, topic=topic, state=state)
            events.append(decode_event(row))
    if current is not None:
        yield current, events


async def _stream(
    connection: AsyncConnection[object], name: str, query: sql.SQL | sql.Composed
) -> AsyncGenerator[tuple[Any, ...], None]:
    async with connection.cursor(f"verify_{name}", row_factory=tuple_row) as cursor:
        await cursor.execute(query, binary=True)
        while rows := await cursor.fetchmany(FETCH_ROWS):
            for row in rows:
                yield row


class _Side:
    """The rows of one table, taken post by post as the events come."""

    def __init__(
        self, connection: AsyncConnection[object], name: str, query: LiteralString
    ) -> None:
        self.report = TableReport(table=name)
        self.rows = _stream(connection, name, sql.SQL(query))
        self._next: Row | None = None
        self._is_started = False
        self._expected, self._found = hashlib.sha256(), hashlib.sha256()

    async def compare(self, post_id: UUID, expected: list[Row]) -> list[Difference]:
        """The differences up to and with this post."""
        strangers = await self._take(lambda row: post_of(row) < post_id)
        found = await self._take(lambda row: post_of(row) == post_id)
        self.report.expected_rows += len(expected)
        for row in expected:
            self._expected.update(repr(row).encode())
        differences = [self._difference(None, row) for row in strangers]
        return differences if found == expected else differences + self._paired(expected, found)

    async def finish(self) -> list[Difference]:
        """What is left belongs to posts that no event knows."""
        left = [self._difference(None, row) for row in await self._take(lambda _: True)]
        self.report.expected_digest = self._expected.hexdigest()
        self.report.found_digest = self._found.hexdigest()
        return left

    async def _take(self, is_wanted: Any) -> list[Row]:  # noqa: ANN401 - a predicate on a row
        taken: list[Row] = []
        if not self._is_started:
            self._is_started = True
            self._next = await anext(self.rows, None)
        while self._next is not None and is_wanted(self._next):
            taken.append(self._next)
            self.report.found_rows += 1
            self._found.update(repr(self._next).encode())
            self._next = await anext(self.rows, None)
        return taken

    def _paired(self, expected: list[Row], found: list[Row]) -> list[Difference]:
        keys = 2 if self.report.table == "post_images" else 1
        wanted = {row[:keys]: row for row in expected}
        there = {row[:keys]: row for row in found}
        return [
            self._difference(wanted.get(key), there.get(key))
            for key in sorted(wanted | there, key=str)
            if wanted.get(key) != there.get(key)
        ]

    def _difference(self, expected: Row | None, found: Row | None) -> Difference:
        row = expected or found or ()
        keys = 2 if self.report.table == "post_images" else 1
        return Difference(
            table=self.report.table,
            key=" ".join(map(str, row[:keys])),
            expected=list(expected) if expected else None,
            found=list(found) if found else None,
        )
