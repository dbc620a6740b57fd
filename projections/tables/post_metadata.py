"""The table `post_metadata`: engagement counters, which other writers increment.

The projection inserts a row of zeros and never touches it again: no replay or rebuild resets a
counter.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.events import Event, PostCreated
from domain.post import Post
from projections.tables.change import Change
from projections.tables.read_table import ReadTable, insert_into


class MetadataRow(Struct, frozen=True, kw_only=True):
    """The one column that events decide: that the post exists."""

    post_id: UUID


_INSERT: Final = insert_into("post_metadata", MetadataRow) + "ON CONFLICT DO NOTHING"


def _changes(events: Sequence[Event]) -> list[Change]:
    rows: list[dict[str, object]] = [
        {"post_id": event.post_id} for event in events if isinstance(event, PostCreated)
    ]
    return [Change(_INSERT, rows)]


def _expected(post: Post, _: Sequence[Event]) -> list[MetadataRow]:
    return [MetadataRow(post_id=post.id)]


TABLE: Final = ReadTable(
    name="post_metadata",
    row=MetadataRow,
    key=("post_id",),
    changes=_changes,
    expected=_expected,
    on_rebuild="keep",
)
