"""The table `usage_posts`: what one post adds to its user's usage; a deleted post keeps its row.

Sizes are kept by post, not summed by user: a deletion names no sizes, and a later variant replaces
an earlier one, so a sum could not be kept right from the events alone.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias, assert_never
from uuid import UUID

from msgspec import Struct

from domain.events import (
    Event,
    PostCaptioned,
    PostCreated,
    PostDeleted,
    PostFailed,
    PostNotReprocessed,
    PostPublished,
    PostReprocessed,
    PostRetried,
    PostUploaded,
    VariantReady,
)
from domain.post import Post, Status
from domain.recipes import VariantName
from projections.tables.change import Change
from projections.tables.read_table import ReadTable, insert_into

_Values: TypeAlias = dict[str, Any]


class UsageRow(Struct, frozen=True, kw_only=True):
    """One post: `file_size` of the announced photo and sizes of its variants, in bytes."""

    post_id: UUID
    user_id: UUID
    status: Status
    file_size: int
    variant_sizes: dict[VariantName, int]
    uploaded_at: datetime | None


_INSERT: Final = insert_into("usage_posts", UsageRow)
# A column that a batch does not set keeps its value.
_MERGE: Final = """
UPDATE usage_posts AS post
SET status = coalesce(change.status, post.status),
    uploaded_at = coalesce(change.uploaded_at, post.uploaded_at),
    variant_sizes = post.variant_sizes || coalesce(change.variant_sizes, '{}')
FROM json_populate_recordset(NULL::usage_posts, %(rows)s::json) AS change
WHERE post.post_id = change.post_id
"""
_REPLACE: Final = """
UPDATE usage_posts AS post
SET status = coalesce(change.status, post.status),
    uploaded_at = coalesce(change.uploaded_at, post.uploaded_at),
    variant_sizes = change.variant_sizes
FROM json_populate_recordset(NULL::usage_posts, %(rows)s::json) AS change
WHERE post.post_id = change.post_id
"""


def _changes(events: Sequence[Event]) -> list[Change]:
    created: dict[UUID, _Values] = {}
    changed: dict[UUID, _Values] = {}
    # Posts whose earlier variants count no more.
    replaced: set[UUID] = set()
    for event in events:
        post_id = event.post_id
        if isinstance(event, PostCreated):
            created[post_id] = _created(event)
            continue
        row = created.get(post_id)
        if row is None:
            row = changed.setdefault(post_id, {"post_id": post_id, "variant_sizes": {}})
        if isinstance(event, PostReprocessed | PostDeleted):
            replaced.add(post_id)
        _evolve(row, event)
    return [
        Change(_INSERT, list(created.values())),
        Change(_MERGE, [row for post_id, row in changed.items() if post_id not in replaced]),
        Change(_REPLACE, [row for post_id, row in changed.items() if post_id in replaced]),
    ]


def _created(event: PostCreated) -> _Values:
    return {
        "post_id": event.post_id,
        "user_id": event.user_id,
        "status": "pending",
        "file_size": event.file_size,
        "variant_sizes": {},
    }


def _evolve(row: _Values, event: Event) -> None:
    match event:
        case PostUploaded():
            row["status"], row["uploaded_at"] = "processing", event.recorded_at
        case VariantReady():
            row["variant_sizes"][event.variant.name] = event.variant.file_size
        case PostPublished():
            row["status"] = "published"
        case PostFailed():
            row["status"] = "failed"
        case PostRetried():
            row["status"] = "processing"
        case PostReprocessed():
            row["variant_sizes"] = {each.name: each.file_size for each in event.variants}
        case PostDeleted():
            row["status"], row["variant_sizes"] = "deleted", {}
        case PostCreated() | PostCaptioned() | PostNotReprocessed():
            pass
        case _:
            assert_never(event)


def _expected(post: Post, events: Sequence[Event]) -> list[UsageRow]:
    uploads = [event.recorded_at for event in events if isinstance(event, PostUploaded)]
    variants = {} if post.status == "deleted" else post.variants
    return [
        UsageRow(
            post_id=post.id,
            user_id=post.user_id,
            status=post.status,
            file_size=post.file_size,
            variant_sizes={name: variant.file_size for name, variant in variants.items()},
            uploaded_at=uploads[0] if uploads else None,
        )
    ]


TABLE: Final = ReadTable(
    name="usage_posts", row=UsageRow, key=("post_id",), changes=_changes, expected=_expected
)
