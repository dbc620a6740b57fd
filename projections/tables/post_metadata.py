"""The table `post_metadata`: engagement counters, which other writers count up.

A projection adds the row at zero when there is none and never touches it again, so that no
replay and no rebuild ever resets what people did.
"""

from collections.abc import Sequence
from typing import Final

from domain.events import Event, PostCreated
from projections.tables.change import Change

_INSERT: Final = """
INSERT INTO post_metadata (post_id)
SELECT post_id FROM json_populate_recordset(NULL::post_metadata, %(rows)s::json)
ON CONFLICT DO NOTHING
"""


def changes(events: Sequence[Event]) -> list[Change]:
    """What `events` add to `post_metadata`."""
    rows: list[dict[str, object]] = [
        {"post_id": event.post_id} for event in events if isinstance(event, PostCreated)
    ]
    return [Change(_INSERT, rows)]
