"""What the read tables must hold of a post: told by the domain's fold of its events alone.

Nothing here knows how the projection makes its rows: it is what the projection is checked by.
"""

from typing import Final, LiteralString, TypeAlias
from uuid import UUID

from domain.events import Event, PostPublished, PostUploaded
from domain.post import EventBeforeCreation, Post, fold

Row: TypeAlias = tuple[object, ...]

# The columns that are compared, in order of the post and then of the rest of the primary key.
READ_TABLES: Final[dict[str, LiteralString]] = {
    "posts": """
        SELECT id, version, user_id, caption, status, image_key, failure_code, failure_message,
               created_at, updated_at, published_at, blurhash, dominant_colour
        FROM posts ORDER BY id
    """,
    "post_images": """
        SELECT post_id, variant, key, content_type, width, height, file_size, sha256
        FROM post_images ORDER BY post_id, variant COLLATE "C"
    """,
    # The counters are other writers': only that the row is there is the projection's.
    "post_metadata": "SELECT post_id FROM post_metadata ORDER BY post_id",
    "upload_sessions": """
        SELECT post_id, status, image_key, content_type, file_size, sha256, created_at, expires_at
        FROM upload_sessions ORDER BY post_id
    """,
}


def expected_rows(events: list[Event]) -> dict[str, list[Row]]:
    """The rows of one post in every read table, in the order of their keys."""
    try:
        post = fold(events)
    except EventBeforeCreation:
        post = None
    if post is None:
        return {table: [] for table in READ_TABLES}
    is_readable = post.status != "deleted"
    return {
        "posts": [_post(post, events)] if is_readable else [],
        "post_images": _images(post) if is_readable else [],
        "post_metadata": [(post.id,)],
        "upload_sessions": [_session(post, events)],
    }


def _post(post: Post, events: list[Event]) -> Row:
    failure = post.failure
    published = next((event for event in events if isinstance(event, PostPublished)), None)
    return (
        post.id,
        post.version,
        post.user_id,
        post.caption,
        post.status,
        post.image_key,
        failure.code if failure else None,
        failure.message if failure else None,
        post.created_at,
        post.updated_at,
        post.published_at,
        published.blurhash if published else None,
        published.dominant_colour if published else None,
    )


def _images(post: Post) -> list[Row]:
    return [
        (
            post.id,
            name,
            variant.key,
            variant.content_type,
            variant.width,
            variant.height,
            variant.file_size,
            variant.sha256,
        )
        for name, variant in sorted(post.variants.items())
    ]


def _session(post: Post, events: list[Event]) -> Row:
    if any(isinstance(event, PostUploaded) for event in events):
        status = "completed"
    else:
        status = "closed" if post.status == "deleted" else "open"
    return (
        post.id,
        status,
        post.image_key,
        post.content_type,
        post.file_size,
        post.sha256,
        post.created_at,
        post.upload_expires_at,
    )


def post_of(row: Row) -> UUID:
    """Whose row it is."""
    assert isinstance(row[0], UUID)  # noqa: S101 - the first column of every table above
    return row[0]
