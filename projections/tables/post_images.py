"""The table `post_images`: one row per stored variant, deleted with its post."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.events import Event, PostCreated, PostDeleted, PostReprocessed, VariantReady
from domain.post import Post
from domain.recipes import VariantName
from domain.variants import StoredVariant
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
# A row without a variant means all variants of its post.
_DELETE: Final = """
DELETE FROM post_images AS image
USING json_populate_recordset(NULL::post_images, %(rows)s::json) AS replaced
WHERE image.post_id = replaced.post_id
  AND (replaced.variant IS NULL OR replaced.variant = image.variant)
"""


def _changes(events: Sequence[Event]) -> list[Change]:
    # A post that is created in this batch has no rows yet: a rebuild never deletes.
    created = {event.post_id for event in events if isinstance(event, PostCreated)}
    # The rows of a post that is deleted in the same batch have no post to refer to.
    deleted = {event.post_id for event in events if isinstance(event, PostDeleted)}
    stored: dict[UUID, dict[VariantName, StoredVariant]] = {}
    replaced: list[dict[str, object]] = []
    for event in events:
        post_id = event.post_id
        if post_id in deleted:
            continue
        if isinstance(event, VariantReady):
            stored.setdefault(post_id, {})[event.variant.name] = event.variant
            if post_id not in created:
                replaced.append({"post_id": post_id, "variant": event.variant.name})
        elif isinstance(event, PostReprocessed):
            stored[post_id] = {variant.name: variant for variant in event.variants}
            if post_id not in created:
                replaced.append({"post_id": post_id})
    rows = [
        _row(post_id, variant)
        for post_id, variants in stored.items()
        for variant in variants.values()
    ]
    return [Change(_DELETE, replaced), Change(_INSERT, rows)]


def _row(post_id: UUID, variant: StoredVariant) -> dict[str, object]:
    return {
        "post_id": post_id,
        "variant": variant.name,
        "key": variant.key,
        "content_type": variant.content_type,
        "width": variant.width,
        "height": variant.height,
        "file_size": variant.file_size,
        "sha256": variant.sha256,
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
