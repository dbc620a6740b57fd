"""A change: one SQL statement that a batch of events makes to a read table, on many rows."""

from typing import LiteralString

import msgspec
from msgspec import Struct
from psycopg import AsyncCursor


class Change(Struct, frozen=True):
    """A statement and the rows it takes, which it reads from `%(rows)s` as one JSON array."""

    statement: LiteralString
    rows: list[dict[str, object]]


async def make(cursor: AsyncCursor[object], change: Change) -> None:
    """Execute a change; one without rows costs nothing."""
    if change.rows:
        rows = msgspec.json.encode(change.rows).decode()
        await cursor.execute(change.statement, {"rows": rows}, prepare=True)
