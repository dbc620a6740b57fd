"""A change: one SQL statement that applies a batch of events to a read table."""

from typing import LiteralString

import msgspec
from msgspec import Struct
from psycopg import AsyncCursor


class Change(Struct, frozen=True):
    """A statement and its rows, which it reads from `%(rows)s` as one JSON array."""

    statement: LiteralString
    rows: list[dict[str, object]]


async def execute_change(cursor: AsyncCursor[object], change: Change) -> None:
    """Execute a change, unless it has no rows."""
    if change.rows:
        await cursor.execute(change.statement, {"rows": to_json(change.rows)}, prepare=True)


def to_json(rows: list[dict[str, object]]) -> str:
    """Encode rows as the parameter of a statement."""
    return msgspec.json.encode(rows).decode()
