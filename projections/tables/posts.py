"""The table `posts`: one row per post that can be read; a deleted post has none."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeAlias, assert_never
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
from domain.post import Post, ReadableStatus
from projections.tables.change import Change
from projections.tables.read_table import ReadTable, insert_into

Evolving: TypeAlias = (
    PostCaptioned
    | PostUploaded
    | VariantReady
    | PostPublished
    | PostFailed
    | PostRetried
    | PostReprocessed
    | PostNotReprocessed
)


class PostRow(Struct, frozen=True, kw_only=True):
    """A post that can be read."""

    id: UUID
    version: int
    user_id: UUID
    caption: str | None
    alt: str | None
    status: ReadableStatus
    image_key: str
    failure_code: str | None
    failure_message: str | None
    blurhash: str | None
    dominant_colour: str | None
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None


_INSERT: Final = insert_into("posts", PostRow)
# A column that a batch does not set keeps its value; a new status replaces the failure, too.
_UPDATE: Final = """
UPDATE posts
SET version = change.version, updated_at = change.updated_at,
    status = coalesce(change.status, posts.status),
    failure_code = CASE WHEN change.status IS NULL THEN posts.failure_code
                        ELSE change.failure_code END,
    failure_message = CASE WHEN change.status IS NULL THEN posts.failure_message
                           ELSE change.failure_message END,
    published_at = coalesce(change.published_at, posts.published_at),
    blurhash = coalesce(change.blurhash, posts.blurhash),
    dominant_colour = coalesce(change.dominant_colour, posts.dominant_colour)
FROM json_populate_recordset(NULL::posts, %(rows)s::json) AS change
WHERE posts.id = change.id
"""
# Not in _UPDATE: here, null is a value.
_CAPTION: Final = """
UPDATE posts SET caption = change.caption, alt = change.alt
FROM json_populate_recordset(NULL::posts, %(rows)s::json) AS change
WHERE posts.id = change.id
"""
_DELETE: Final = """
DELETE FROM posts USING json_populate_recordset(NULL::posts, %(rows)s::json) AS gone
WHERE posts.id = gone.id
"""


def _changes(events: Sequence[Event]) -> list[Change]:
    created: dict[UUID, dict[str, object]] = {}
    changed: dict[UUID, dict[str, object]] = {}
    captioned: dict[UUID, dict[str, object]] = {}
    gone: dict[UUID, dict[str, object]] = {}
    for event in events:
        post_id = event.post_id
        if isinstance(event, PostCreated):
            created[post_id] = _created(event)
        elif isinstance(event, PostDeleted):
            changed.pop(post_id, None)
            captioned.pop(post_id, None)
            if created.pop(post_id, None) is None:
                gone[post_id] = {"id": post_id}
        else:
            row = created.get(post_id)
            if row is None:
                row = changed.setdefault(post_id, {"id": post_id})
            _evolve(row, event)
            if isinstance(event, PostCaptioned):
                texts = (
                    row if post_id in created else captioned.setdefault(post_id, {"id": post_id})
                )
                texts["caption"], texts["alt"] = event.caption, event.alt
    return [
        Change(_INSERT, list(created.values())),
        Change(_UPDATE, list(changed.values())),
        Change(_CAPTION, list(captioned.values())),
        Change(_DELETE, list(gone.values())),
    ]


def _created(event: PostCreated) -> dict[str, object]:
    return {
        "id": event.post_id,
        "version": event.version,
        "user_id": event.user_id,
        "caption": event.caption,
        "alt": event.alt,
        "status": "pending",
        "image_key": event.image_key,
        "created_at": event.recorded_at,
        "updated_at": event.recorded_at,
    }


def _evolve(row: dict[str, object], event: Evolving) -> None:
    row["version"], row["updated_at"] = event.version, event.recorded_at
    match event:
        case VariantReady() | PostNotReprocessed() | PostCaptioned():
            pass
        case PostUploaded():
            row["status"] = "processing"
        case PostRetried():
            row["status"] = "processing"
            row["failure_code"] = row["failure_message"] = None
        case PostPublished():
            row["status"], row["published_at"] = "published", event.recorded_at
            row["blurhash"], row["dominant_colour"] = event.blurhash, event.dominant_colour
        case PostReprocessed():
            row["blurhash"], row["dominant_colour"] = event.blurhash, event.dominant_colour
        case PostFailed():
            row["status"] = "failed"
            row["failure_code"], row["failure_message"] = event.code, event.message
        case _:
            assert_never(event)


def _expected(post: Post, _: Sequence[Event]) -> list[PostRow]:
    if post.status == "deleted":
        return []
    return [
        PostRow(
            id=post.id,
            version=post.version,
            user_id=post.user_id,
            caption=post.caption,
            alt=post.alt,
            status=post.status,
            image_key=post.image_key,
            failure_code=post.failure.code if post.failure else None,
            failure_message=post.failure.message if post.failure else None,
            blurhash=post.blurhash,
            dominant_colour=post.dominant_colour,
            created_at=post.created_at,
            updated_at=post.updated_at,
            published_at=post.published_at,
        )
    ]


TABLE: Final = ReadTable(
    name="posts", row=PostRow, key=("id",), changes=_changes, expected=_expected
)
