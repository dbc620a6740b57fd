"""What the read tables must hold of a post: told by the domain's fold of its events alone.

Nothing here knows how the projection makes its rows: it is what the projection is checked by.
"""

from typing import Final, TypeAlias

from msgspec import Struct

from domain.events import Event, PostPublished, PostReprocessed, PostUploaded
from domain.post import EventBeforeCreation, Post, fold

Row: TypeAlias = tuple[object, ...]


class ReadTable(Struct, frozen=True, kw_only=True):
    """What of a read table is compared: its key, which begins with the post, and other columns."""

    key: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Everything that is compared, the key first."""
        return self.key + self.others


READ_TABLES: Final = {
    "posts": ReadTable(
        key=("id",),
        others=(
            "version",
            "user_id",
            "caption",
            "status",
            "image_key",
            "failure_code",
            "failure_message",
            "created_at",
            "updated_at",
            "published_at",
            "blurhash",
            "dominant_colour",
        ),
    ),
    "post_images": ReadTable(
        key=("post_id", "variant"),
        others=("key", "content_type", "width", "height", "file_size", "sha256"),
    ),
    # The counters are other writers': only that the row is there is the projection's.
    "post_metadata": ReadTable(key=("post_id",)),
    "upload_sessions": ReadTable(
        key=("post_id",),
        others=(
            "status",
            "image_key",
            "content_type",
            "file_size",
            "sha256",
            "created_at",
            "expires_at",
        ),
    ),
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
    shown = [event for event in events if isinstance(event, PostPublished | PostReprocessed)]
    last = shown[-1] if shown else None
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
        last.blurhash if last else None,
        last.dominant_colour if last else None,
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
