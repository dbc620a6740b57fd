"""The event mapper, and the golden stored events: what was ever written decodes for ever."""

import json
from pathlib import Path
from typing import get_args
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent

from domain.events import Event, topic_of
from domain.mapper import EventMapper, UnreadableEvent, decode_event

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))


def stored(path: Path) -> StoredEvent:
    """A golden file as the row that it was: its name is the topic and the schema version."""
    state = path.read_bytes().strip()
    fields = json.loads(state)
    return StoredEvent(
        originator_id=UUID(fields["post_id"]),
        originator_version=fields["version"],
        topic=fields["type"],
        state=state,
    )


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_golden_event_decodes_and_encodes_to_the_same_bytes(path: Path) -> None:
    row = stored(path)
    event = decode_event(row)
    assert EventMapper().to_stored_event(event) == row  # type: ignore[arg-type]
    assert path.stem == f"{topic_of(event)}.v{event.schema_version}"


def test_there_is_a_golden_event_of_every_kind() -> None:
    kinds = {str(kind.__struct_config__.tag) for kind in get_args(Event)}
    assert {path.stem.rsplit(".v", 1)[0] for path in GOLDEN} == kinds


def test_the_library_gets_our_events_back() -> None:
    row = stored(GOLDEN[0])
    event: object = EventMapper().to_domain_event(row)
    assert event == decode_event(row)


def test_a_damaged_state_is_named() -> None:
    row = stored(GOLDEN[0])
    damaged = StoredEvent(row.originator_id, row.originator_version, row.topic, b"{}")
    with pytest.raises(UnreadableEvent, match="is unreadable"):
        decode_event(damaged)


def test_a_state_that_belongs_to_another_row_is_named() -> None:
    row = stored(GOLDEN[0])
    moved = StoredEvent(row.originator_id, row.originator_version + 1, row.topic, row.state)
    with pytest.raises(UnreadableEvent, match="its state is that of event") as damaged:
        decode_event(moved)
    assert damaged.value.topic == row.topic
