"""The table `upload_sessions`: what was announced, until when, and whether it came."""

from typing import Final

from domain.events import Event, PostCreated, PostDeleted, PostUploaded
from projections.change import Change

_INSERT: Final = """
INSERT INTO upload_sessions (
    post_id, status, image_key, content_type, file_size, sha256, created_at, expires_at
) VALUES (
    %(post_id)s, 'open', %(image_key)s, %(content_type)s, %(file_size)s, %(sha256)s,
    %(created_at)s, %(expires_at)s
)
"""
_COMPLETE: Final = """
UPDATE upload_sessions SET status = 'completed' WHERE post_id = %(post_id)s
"""
_CLOSE: Final = """
UPDATE upload_sessions SET status = 'closed' WHERE post_id = %(post_id)s AND status = 'open'
"""


def changes(event: Event) -> list[Change]:
    """What `event` does to `upload_sessions`."""
    match event:
        case PostCreated():
            return [Change(_INSERT, _row(event))]
        case PostUploaded():
            return [Change(_COMPLETE, {"post_id": event.post_id})]
        case PostDeleted():
            return [Change(_CLOSE, {"post_id": event.post_id})]
        case _:
            return []


def _row(event: PostCreated) -> dict[str, object]:
    return {
        "post_id": event.post_id,
        "image_key": event.image_key,
        "content_type": event.content_type,
        "file_size": event.file_size,
        "sha256": event.sha256,
        "created_at": event.recorded_at,
        "expires_at": event.upload_expires_at,
    }
