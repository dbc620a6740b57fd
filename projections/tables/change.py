"""A change: one SQL statement that a batch of events makes to a read table, on many rows."""

from typing import LiteralString

import msgspec
from msgspec import Struct
from psycopg import AsyncCursor


class Change(Struct, frozen=True):
    """A statement and the rows it takes, which it reads from `%(rows)s` as one JSON array."""

    statement: LiteralString
    rows: list[dict[str, object]]


async def execute_change(cursor: AsyncCursor[object], change: Change) -> None:
    """Execute a change; one without rows costs nothing."""
    if change.rows:
        await cursor.execute(change.statement, {"rows": in_json(change.rows)}, prepare=True)


def in_json(rows: list[dict[str, object]]) -> str:
    """The rows as a statement takes them."""
    return msgspec.json.encode(rows).decode()
