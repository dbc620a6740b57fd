"""The table `post_images`: one row for every stored variant; it goes with its post."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from domain.events import Event, PostDeleted, PostReprocessed, ReadyVariant, VariantReady
from projections.tables.change import Change

_INSERT: Final = """
INSERT INTO post_images (
    post_id, variant, key, content_type, width, height, file_size, sha256
)
SELECT post_id, variant, key, content_type, width, height, file_size, sha256
FROM json_populate_recordset(NULL::post_images, %(rows)s::json)
"""
_REPLACE: Final = """
UPDATE post_images AS image
SET key = made.key, content_type = made.content_type, width = made.width, height = made.height,
    file_size = made.file_size, sha256 = made.sha256
FROM json_populate_recordset(NULL::post_images, %(rows)s::json) AS made
WHERE image.post_id = made.post_id AND image.variant = made.variant
"""


def changes(events: Sequence[Event]) -> list[Change]:
    """What `events` do to `post_images`; the images of a post that ends among them never come."""
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
