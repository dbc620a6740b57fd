"""The table `upload_sessions`: what was announced, until when, and whether it came."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from domain.events import Event, PostCreated, PostDeleted, PostUploaded
from projections.tables.change import Change

_INSERT: Final = """
INSERT INTO upload_sessions (
    post_id, status, image_key, content_type, file_size, sha256, created_at, expires_at
)
SELECT post_id, status, image_key, content_type, file_size, sha256, created_at, expires_at
FROM json_populate_recordset(NULL::upload_sessions, %(rows)s::json)
"""
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


def changes(events: Sequence[Event]) -> list[Change]:
    """What `events`, in the order of the log, do to `upload_sessions` in the end."""
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
