"""The table `posts`: one row for every post that can be read."""

from typing import Final, assert_never

from domain.events import (
    Event,
    PostCreated,
    PostDeleted,
    PostFailed,
    PostPublished,
    PostUploaded,
    VariantReady,
)
from projections.change import Change

_INSERT: Final = """
INSERT INTO posts (id, version, user_id, caption, status, image_key, created_at, updated_at)
VALUES (%(id)s, %(version)s, %(user_id)s, %(caption)s, 'pending', %(image_key)s, %(at)s, %(at)s)
"""
_TOUCH: Final = """
UPDATE posts SET version = %(version)s, updated_at = %(at)s WHERE id = %(id)s
"""
_PROCESS: Final = """
UPDATE posts SET version = %(version)s, updated_at = %(at)s, status = 'processing'
WHERE id = %(id)s
"""
_PUBLISH: Final = """
UPDATE posts
SET version = %(version)s, updated_at = %(at)s, status = 'published', published_at = %(at)s,
    blurhash = %(blurhash)s, dominant_colour = %(dominant_colour)s
WHERE id = %(id)s
"""
_FAIL: Final = """
UPDATE posts
SET version = %(version)s, updated_at = %(at)s, status = 'failed',
    failure_code = %(code)s, failure_message = %(message)s
WHERE id = %(id)s
"""
_DELETE: Final = """
DELETE FROM posts WHERE id = %(id)s
"""


def changes(event: Event) -> list[Change]:
    """What `event` does to `posts`."""
    row: dict[str, object] = {
        "id": event.post_id,
        "version": event.version,
        "at": event.recorded_at,
    }
    match event:
        case PostCreated():
            row |= {
                "user_id": event.user_id,
                "caption": event.caption,
                "image_key": event.image_key,
            }
            return [Change(_INSERT, row)]
        case PostUploaded():
            return [Change(_PROCESS, row)]
        case VariantReady():
            return [Change(_TOUCH, row)]
        case PostPublished():
            row |= {"blurhash": event.blurhash, "dominant_colour": event.dominant_colour}
            return [Change(_PUBLISH, row)]
        case PostFailed():
            row |= {"code": event.code, "message": event.message}
            return [Change(_FAIL, row)]
        case PostDeleted():
            return [Change(_DELETE, {"id": event.post_id})]
        case _:
            assert_never(event)
