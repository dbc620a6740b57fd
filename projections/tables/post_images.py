"""The table `post_images`: one row for every stored variant; it goes with its post."""

from typing import Final

from domain.events import Event, VariantReady
from projections.change import Change

_INSERT: Final = """
INSERT INTO post_images (
    post_id, variant, key, content_type, width, height, file_size, sha256
) VALUES (
    %(post_id)s, %(variant)s, %(key)s, %(content_type)s,
    %(width)s, %(height)s, %(file_size)s, %(sha256)s
)
"""


def changes(event: Event) -> list[Change]:
    """What `event` does to `post_images`."""
    if not isinstance(event, VariantReady):
        return []
    row: dict[str, object] = {
        "post_id": event.post_id,
        "variant": event.variant,
        "key": event.key,
        "content_type": event.content_type,
        "width": event.width,
        "height": event.height,
        "file_size": event.file_size,
        "sha256": event.sha256,
    }
    return [Change(_INSERT, row)]
