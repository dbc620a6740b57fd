"""The table `post_images`: one row for every stored variant; it goes with its post."""

from collections.abc import Sequence
from typing import Final

from domain.events import Event, PostDeleted, VariantReady
from projections.change import Change

_INSERT: Final = """
INSERT INTO post_images (
    post_id, variant, key, content_type, width, height, file_size, sha256
)
SELECT post_id, variant, key, content_type, width, height, file_size, sha256
FROM json_populate_recordset(NULL::post_images, %(rows)s::json)
"""


def changes(events: Sequence[Event]) -> list[Change]:
    """What `events` add to `post_images`; the images of a post that ends among them never come."""
    gone = {event.post_id for event in events if isinstance(event, PostDeleted)}
    rows = [
        _row(event)
        for event in events
        if isinstance(event, VariantReady) and event.post_id not in gone
    ]
    return [Change(_INSERT, rows)]


def _row(event: VariantReady) -> dict[str, object]:
    return {
        "post_id": event.post_id,
        "variant": event.variant,
        "key": event.key,
        "content_type": event.content_type,
        "width": event.width,
        "height": event.height,
        "file_size": event.file_size,
        "sha256": event.sha256,
    }
