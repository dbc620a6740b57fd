"""A change: one SQL statement that an event makes to a read table."""

from typing import LiteralString

from msgspec import Struct


class Change(Struct, frozen=True):
    """A statement and its named parameters."""

    statement: LiteralString
    parameters: dict[str, object]
