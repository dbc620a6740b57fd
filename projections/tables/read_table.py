"""A read table: what following, rebuilding and verifying need to know about it, in one value."""

from collections.abc import Callable, Sequence
from typing import Literal, LiteralString

from msgspec import Struct

from domain.events import Event
from domain.post import Post
from projections.tables.change import Change


class ReadTable(Struct, frozen=True, kw_only=True):
    """One table of a projection.

    `row` has a field per column that events decide; `key` begins with the post's id. `changes`
    derives rows from a batch of events, `expected` from a post's state and whole history, in the
    order of the key. The two share no code: verification compares one with the other.

    A rebuild replaces the table, or keeps it if other writers own columns of it; it then adds the
    rows that a kept table lacks.
    """

    name: LiteralString
    row: type[Struct]
    key: tuple[str, ...]
    changes: Callable[[Sequence[Event]], list[Change]]
    expected: Callable[[Post, Sequence[Event]], Sequence[Struct]]
    on_rebuild: Literal["replace", "keep"] = "replace"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that events decide."""
        return self.row.__struct_fields__


def insert_into(table: LiteralString, row: type[Struct]) -> LiteralString:
    """The statement of a `Change` that inserts whole rows."""
    columns = ", ".join(row.__struct_fields__)
    # Names of fields are as literal as the rest.
    return f"""
INSERT INTO {table} ({columns})
SELECT {columns} FROM json_populate_recordset(NULL::{table}, %(rows)s::json)
"""  # pyright: ignore[reportReturnType]
