"""The event mapper, and the golden stored events: what was ever written decodes for ever."""

import json
from pathlib import Path
from typing import get_args
from uuid import UUID

import msgspec
import pytest
from eventsourcing.persistence import StoredEvent
from msgspec.structs import replace

from domain.event_store.mapper import EventMapper, EventRow, UnreadableEvent, decode_event
from domain.event_store.upcasting import Fields
from domain.events import Event, VariantReady, topic_of

GOLDEN_FOLDER = Path(__file__).parent / "golden"
GOLDEN = sorted(GOLDEN_FOLDER.glob("*.json"))


def golden_row(path: Path) -> EventRow:
    """A golden file as the row that it was: its name is the topic and the schema version."""
    state = path.read_bytes().strip()
    fields = json.loads(state)
    return EventRow(
        post_id=UUID(fields["post_id"]),
        version=fields["version"],
        topic=fields["type"],
        state=state,
    )


def stored(row: EventRow) -> StoredEvent:
    """The same row as the library names its columns."""
    return StoredEvent(row.post_id, row.version, row.topic, row.state)


def todays_golden() -> dict[str, Path]:
    """The golden event of the newest schema version, by topic."""
    return {path.stem.rsplit(".v", 1)[0]: path for path in GOLDEN}


@pytest.mark.parametrize("path", todays_golden().values(), ids=lambda path: path.stem)
def test_every_golden_event_of_today_decodes_and_encodes_to_the_same_bytes(path: Path) -> None:
    row = golden_row(path)
    event = decode_event(row)
    assert EventMapper().to_stored_event(event) == stored(row)  # type: ignore[arg-type]
    assert path.stem == f"{topic_of(event)}.v{event.schema_version}"


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_golden_event_ever_written_reads_as_one_of_today(path: Path) -> None:
    row = golden_row(path)
    event, of_today = decode_event(row), decode_event(golden_row(todays_golden()[row.topic]))
    assert event.schema_version == of_today.schema_version
    written = flat(json.loads(row.state))
    read = flat(json.loads(msgspec.json.encode(event)))
    assert {name: read[name] for name in written} == {
        **written,
        "schema_version": of_today.schema_version,
    }


def flat(fields: Fields) -> Fields:
    """The fields of an event with those of a variant beside them, as the first versions had it."""
    variant = fields.get("variant")
    if isinstance(variant, dict):
        fields = {**fields, **variant, "variant": variant["name"]}
    variants = [{"name": each.get("variant"), **each} for each in fields.get("variants", ())]
    for each in variants:
        each.pop("variant", None)
    return {**fields, "variants": variants}


def test_there_is_a_golden_event_of_every_kind() -> None:
    kinds = {str(kind.__struct_config__.tag) for kind in get_args(Event)}
    assert set(todays_golden()) == kinds


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_no_shape_changes_without_a_new_version(kind: type[Event]) -> None:
    [version] = get_args(kind.__annotations__["schema_version"])
    file = GOLDEN_FOLDER / f"{kind.__struct_config__.tag}.v{version}.schema"
    schema = msgspec.json.schema(kind)
    for struct in schema["$defs"].values():
        struct.pop("description", None)
    shape = json.dumps(schema, indent=2, sort_keys=True) + "\n"
    # A new version gets a file of its own; one that is there never changes.
    assert file.read_text() == shape, f"{file.name}: a new shape is a new schema_version"


def test_a_shape_that_is_newer_than_this_code_is_named() -> None:
    row = golden_row(todays_golden()["post.published"])
    newer = replace(row, state=row.state.replace(b'"schema_version":3', b'"schema_version":4'))
    with pytest.raises(UnreadableEvent, match="is unreadable"):
        decode_event(newer)


def test_the_library_gets_our_events_back() -> None:
    row = golden_row(GOLDEN[0])
    event: object = EventMapper().to_domain_event(stored(row))
    assert event == decode_event(row)


def test_a_damaged_state_is_named() -> None:
    row = golden_row(GOLDEN[0])
    damaged = replace(row, state=b"{}")
    with pytest.raises(UnreadableEvent, match="is unreadable"):
        decode_event(damaged)


@pytest.mark.parametrize("stem", ["post.variant_ready.v2", "post.reprocessed.v1"])
def test_a_damaged_state_of_an_older_version_is_named(stem: str) -> None:
    row = golden_row(GOLDEN_FOLDER / f"{stem}.json")
    damaged = replace(row, state=row.state.replace(b'"variant', b'"lost'))
    with pytest.raises(UnreadableEvent, match="is unreadable"):
        decode_event(damaged)


def test_a_variant_that_only_a_newer_recipe_version_has_is_read() -> None:
    row = golden_row(GOLDEN_FOLDER / "post.variant_ready.v3.json")
    newer = replace(row, state=row.state.replace(b'"thumbnail"', b'"panorama"'))
    event = decode_event(newer)
    assert isinstance(event, VariantReady)
    assert event.variant.name == "panorama"


def test_a_state_that_belongs_to_another_row_is_named() -> None:
    row = golden_row(GOLDEN[0])
    moved = replace(row, version=row.version + 1)
    with pytest.raises(UnreadableEvent, match="its state is that of event") as damaged:
        decode_event(moved)
    assert damaged.value.row == moved
