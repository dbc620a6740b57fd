"""Comparison: one read table against its expected rows, post by post in the order of ids."""

import hashlib
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import fields
from psycopg import AsyncConnection, sql

from projections.follow.projection import Row
from projections.log.histories import Scope, stream
from projections.tables.read_table import ReadTable

_DIGEST_SIZE: Final = 2**256
# PostgreSQL and Python order the keys of an object each in their own way.
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")

_ROWS: Final = "SELECT {columns} FROM {table} WHERE {in_scope} ORDER BY {key}"


class Difference(Struct, frozen=True, kw_only=True):
    """One row that differs; None where there is none, or where none is expected."""

    table: str
    key: str
    expected: list[Any] | None
    found: list[Any] | None


class TableReport(Struct, kw_only=True):
    """One table: expected rows, found rows, and a digest of each.

    A digest is the sum of the rows' SHA-256, so that reports of disjoint posts add up.
    """

    table: str
    expected_rows: int = 0
    found_rows: int = 0
    expected_digest: str = "0" * 64
    found_digest: str = "0" * 64

    def add(self, other: "TableReport") -> None:
        """Add the report of other posts in the same table."""
        self.expected_rows += other.expected_rows
        self.found_rows += other.found_rows
        self.expected_digest = _sum(self.expected_digest, other.expected_digest)
        self.found_digest = _sum(self.found_digest, other.found_digest)


class TableComparison:
    """Compares the expected rows of one post after the other with the rows of the table."""

    def __init__(self, connection: AsyncConnection[object], table: ReadTable, scope: Scope) -> None:
        self.report = TableReport(table=table.name)
        self.rows = _rows(connection, table, scope)
        self._key_size = len(table.key)
        self._next: Row | None = None
        self._is_started = False
        self._expected, self._found = _Digest(), _Digest()

    async def compare(self, post_id: UUID, expected: list[Row]) -> list[Difference]:
        """The differences up to and with this post."""
        unexpected = await self._take(lambda row: _post_of(row) < post_id)
        found = await self._take(lambda row: _post_of(row) == post_id)
        self.report.expected_rows += len(expected)
        self._expected.add(expected)
        differences = [self._difference(None, row) for row in unexpected]
        return differences if found == expected else differences + self._paired(expected, found)

    async def finish(self) -> list[Difference]:
        """The rows that are left, of posts that have no event."""
        left = [self._difference(None, row) for row in await self._take(lambda _: True)]
        self.report.expected_digest = self._expected.hexadecimal()
        self.report.found_digest = self._found.hexadecimal()
        return left

    async def _take(self, is_wanted: Callable[[Row], bool]) -> list[Row]:
        taken: list[Row] = []
        if not self._is_started:
            self._is_started = True
            self._next = await anext(self.rows, None)
        while self._next is not None and is_wanted(self._next):
            taken.append(self._next)
            self._next = await anext(self.rows, None)
        self.report.found_rows += len(taken)
        self._found.add(taken)
        return taken

    def _paired(self, expected: list[Row], found: list[Row]) -> list[Difference]:
        wanted = {row[: self._key_size]: row for row in expected}
        there = {row[: self._key_size]: row for row in found}
        return [
            self._difference(wanted.get(key), there.get(key))
            for key in sorted(wanted | there, key=str)
            if wanted.get(key) != there.get(key)
        ]

    def _difference(self, expected: Row | None, found: Row | None) -> Difference:
        row = expected or found or ()
        return Difference(
            table=self.report.table,
            key=" ".join(map(str, row[: self._key_size])),
            expected=list(expected) if expected else None,
            found=list(found) if found else None,
        )


class _Digest:
    """The sum of the SHA-256 of rows, in whatever order they come."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, rows: list[Row]) -> None:
        for row in rows:
            self._sum += int.from_bytes(hashlib.sha256(_ENCODER.encode(row)).digest())

    def hexadecimal(self) -> str:
        return _hexadecimal(self._sum)


def _sum(one: str, other: str) -> str:
    return _hexadecimal(int(one, 16) + int(other, 16))


def _hexadecimal(number: int) -> str:
    return f"{number % _DIGEST_SIZE:064x}"


def _post_of(row: Row) -> UUID:
    assert isinstance(row[0], UUID)  # noqa: S101 - every key begins with the post
    return row[0]


def _rows(
    connection: AsyncConnection[object], table: ReadTable, scope: Scope
) -> AsyncGenerator[Row, None]:
    types = {each.name: each.type for each in fields(table.row)}
    query = sql.SQL(_ROWS).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, table.columns)),
        table=sql.Identifier(table.name),
        in_scope=scope.holds(table.key[0]),
        key=sql.SQL(", ").join(_ordered(column, types[column]) for column in table.key),
    )
    return stream(connection, table.name, query)


def _ordered(column: str, kind: object) -> sql.Composed:
    """By a column of a key, as Python orders its values: ids and numbers as such, text by bytes."""
    collation = "" if kind in {UUID, int} else ' COLLATE "C"'
    return sql.SQL("{}{}").format(sql.Identifier(column), sql.SQL(collation))
