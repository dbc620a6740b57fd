"""The table `post_images`: one row per stored variant, deleted with its post."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.events import Event, PostDeleted, PostReprocessed, ReadyVariant, VariantReady
from domain.post import Post
from domain.recipes import VariantName
from projections.tables.change import Change
from projections.tables.read_table import ReadTable, insert_into


class ImageRow(Struct, frozen=True, kw_only=True):
    """One stored variant: `width` and `height` in pixels, `file_size` in bytes."""

    post_id: UUID
    variant: VariantName
    key: str
    content_type: str
    width: int
    height: int
    file_size: int
    sha256: str


_INSERT: Final = insert_into("post_images", ImageRow)
_REPLACE: Final = """
UPDATE post_images AS image
SET key = made.key, content_type = made.content_type, width = made.width, height = made.height,
    file_size = made.file_size, sha256 = made.sha256
FROM json_populate_recordset(NULL::post_images, %(rows)s::json) AS made
WHERE image.post_id = made.post_id AND image.variant = made.variant
"""


def _changes(events: Sequence[Event]) -> list[Change]:
    # The rows of a post that is deleted in the same batch have no post to refer to.
    gone = {event.post_id for event in events if isinstance(event, PostDeleted)}
    added: list[dict[str, object]] = []
    replaced: dict[tuple[UUID, str], dict[str, object]] = {}
    for event in events:
        if isinstance(event, VariantReady) and event.post_id not in gone:
            added.append(_row(event.post_id, event))
        elif isinstance(event, PostReprocessed) and event.post_id not in gone:
            for made in event.variants:
                replaced[event.post_id, made.variant] = _row(event.post_id, made)
    return [Change(_INSERT, added), Change(_REPLACE, list(replaced.values()))]


def _row(post_id: UUID, made: VariantReady | ReadyVariant) -> dict[str, object]:
    return {
        "post_id": post_id,
        "variant": made.variant,
        "key": made.key,
        "content_type": made.content_type,
        "width": made.width,
        "height": made.height,
        "file_size": made.file_size,
        "sha256": made.sha256,
    }


def _expected(post: Post, _: Sequence[Event]) -> list[ImageRow]:
    if post.status == "deleted":
        return []
    return [
        ImageRow(
            post_id=post.id,
            variant=name,
            key=variant.key,
            content_type=variant.content_type,
            width=variant.width,
            height=variant.height,
            file_size=variant.file_size,
            sha256=variant.sha256,
        )
        for name, variant in sorted(post.variants.items())
    ]


TABLE: Final = ReadTable(
    name="post_images",
    row=ImageRow,
    key=("post_id", "variant"),
    changes=_changes,
    expected=_expected,
)
