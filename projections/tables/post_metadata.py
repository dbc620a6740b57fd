"""The table `post_metadata`: engagement counters, which other writers count up.

A projection adds the row at zero when there is none and never touches it again, so that no
replay and no rebuild ever resets what people did.
"""

from typing import Final

from domain.events import Event, PostCreated
from projections.change import Change

_INSERT: Final = """
INSERT INTO post_metadata (post_id) VALUES (%(post_id)s) ON CONFLICT DO NOTHING
"""


def changes(event: Event) -> list[Change]:
    """What `event` does to `post_metadata`."""
    if not isinstance(event, PostCreated):
        return []
    return [Change(_INSERT, {"post_id": event.post_id})]
