"""The table `post_images`: one row per stored variant, deleted with its post."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
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
# During a deployment, an attempt of another recipe version replaces a variant.
_UPSERT: Final = f"""{_INSERT}
ON CONFLICT (post_id, variant) DO UPDATE
SET key = excluded.key, content_type = excluded.content_type, width = excluded.width,
    height = excluded.height, file_size = excluded.file_size, sha256 = excluded.sha256
"""
_DELETE: Final = """
DELETE FROM post_images AS image
USING json_populate_recordset(NULL::post_images, %(rows)s::json) AS replaced
WHERE image.post_id = replaced.post_id
"""


def _changes(events: Sequence[Event]) -> list[Change]:
    # A post that is created in this batch has no rows yet, and a rebuild's tables have no keys yet:
    # they take plain inserts only.
    created = {event.post_id for event in events if isinstance(event, PostCreated)}
    # The rows of a post that is deleted in the same batch have no post to refer to.
    deleted = {event.post_id for event in events if isinstance(event, PostDeleted)}
    stored: dict[UUID, dict[VariantName, StoredVariant]] = {}
    reprocessed: set[UUID] = set()
    for event in events:
        post_id = event.post_id
        if post_id in deleted:
            continue
        if isinstance(event, VariantReady):
            stored.setdefault(post_id, {})[event.variant.name] = event.variant
        elif isinstance(event, PostReprocessed):
            stored[post_id] = {variant.name: variant for variant in event.variants}
            reprocessed.add(post_id)
    return [
        Change(_DELETE, [{"post_id": post_id} for post_id in reprocessed - created]),
        Change(_INSERT, _rows(stored, stored.keys() & created)),
        Change(_UPSERT, _rows(stored, stored.keys() - created)),
    ]


def _rows(
    stored: dict[UUID, dict[VariantName, StoredVariant]], post_ids: AbstractSet[UUID]
) -> list[dict[str, object]]:
    return [_row(post_id, variant) for post_id in post_ids for variant in stored[post_id].values()]


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
