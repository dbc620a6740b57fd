"""The table `upload_sessions`: what a client announced, until when, and whether it arrived."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from msgspec import Struct

from domain.events import Event, PostCreated, PostDeleted, PostUploaded
from domain.formats import ContentType
from domain.post import Post
from projections.tables.change import Change
from projections.tables.read_table import ReadTable, insert_into


class SessionRow(Struct, frozen=True, kw_only=True):
    """An announced upload: `file_size` in bytes."""

    post_id: UUID
    status: Literal["open", "completed", "closed"]
    image_key: str
    content_type: ContentType
    file_size: int
    sha256: str
    created_at: datetime
    expires_at: datetime


_INSERT: Final = insert_into("upload_sessions", SessionRow)
_COMPLETE: Final = """
UPDATE upload_sessions SET status = 'completed'
FROM json_populate_recordset(NULL::upload_sessions, %(rows)s::json) AS change
WHERE upload_sessions.post_id = change.post_id
"""
_CLOSE: Final = """
UPDATE upload_sessions SET status = 'closed'
FROM json_populate_recordset(NULL::upload_sessions, %(rows)s::json) AS change
WHERE upload_sessions.post_id = change.post_id AND upload_sessions.status = 'open'
"""


def _changes(events: Sequence[Event]) -> list[Change]:
    opened: dict[UUID, dict[str, object]] = {}
    completed: list[dict[str, object]] = []
    closed: list[dict[str, object]] = []
    for event in events:
        row = opened.get(event.post_id)
        if isinstance(event, PostCreated):
            opened[event.post_id] = _row(event)
        elif isinstance(event, PostUploaded):
            if row is None:
                completed.append({"post_id": event.post_id})
            else:
                row["status"] = "completed"
        elif isinstance(event, PostDeleted):
            if row is None:
                closed.append({"post_id": event.post_id})
            elif row["status"] == "open":
                row["status"] = "closed"
    return [
        Change(_INSERT, list(opened.values())),
        Change(_COMPLETE, completed),
        Change(_CLOSE, closed),
    ]


def _row(event: PostCreated) -> dict[str, object]:
    return {
        "post_id": event.post_id,
        "status": "open",
        "image_key": event.image_key,
        "content_type": event.content_type,
        "file_size": event.file_size,
        "sha256": event.sha256,
        "created_at": event.recorded_at,
        "expires_at": event.upload_expires_at,
    }


def _expected(post: Post, events: Sequence[Event]) -> list[SessionRow]:
    status: Literal["open", "completed", "closed"]
    if any(isinstance(event, PostUploaded) for event in events):
        status = "completed"
    else:
        status = "closed" if post.status == "deleted" else "open"
    return [
        SessionRow(
            post_id=post.id,
            status=status,
            image_key=post.image_key,
            content_type=post.content_type,
            file_size=post.file_size,
            sha256=post.sha256,
            created_at=post.created_at,
            expires_at=post.upload_expires_at,
        )
    ]


TABLE: Final = ReadTable(
    name="upload_sessions",
    row=SessionRow,
    key=("post_id",),
    changes=_changes,
    expected=_expected,
)
