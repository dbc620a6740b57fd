"""The event mapper: converts events to rows of the event store and back, as JSON."""

from typing import Any, cast
from uuid import UUID

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent
from msgspec import Struct

from domain.event_store.upcasting import upcast
from domain.events import Event, topic_of

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_OF_ANY_SHAPE: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])


class EventRow(Struct, frozen=True, kw_only=True, gc=False):
    """One row of the log."""

    post_id: UUID
    version: int
    topic: str
    state: bytes


class UnreadableEvent(Exception):
    """A stored event that this code cannot read: damaged, or written by a newer version."""

    def __init__(self, row: EventRow, reason: str) -> None:
        # Both, so that it can be pickled for another process.
        super().__init__(row, reason)
        self.row = row
        self.reason = reason

    def __str__(self) -> str:
        row = self.row
        return (
            f"event {row.version} of post {row.post_id} ({row.topic}) is unreadable: {self.reason}"
        )


def decode_event(row: EventRow) -> Event:
    """Decode one row of the log.

    Raises:
        UnreadableEvent: the state is not an event, or not the event that its row names.
    """
    try:
        event = _decode(row.state)
    except msgspec.MsgspecError as error:
        raise UnreadableEvent(row, str(error)) from error
    if (event.post_id, event.version, topic_of(event)) != (row.post_id, row.version, row.topic):
        reason = f"its state is that of event {event.version} of {event.post_id}"
        raise UnreadableEvent(row, reason)
    return event


def _decode(state: bytes) -> Event:
    """Try today's shape first: it is by far the most frequent."""
    try:
        return _DECODER.decode(state)
    except msgspec.ValidationError as error:
        fields = _OF_ANY_SHAPE.decode(state)
        try:
            is_older = upcast(fields)
        except (AttributeError, LookupError, TypeError):
            # Damaged: fields that the step to the next version needs are missing.
            raise error from None
        if not is_older:
            raise
        return msgspec.convert(fields, Event)  # type: ignore[no-any-return]


class EventMapper(Mapper[UUID]):
    """Makes the event-sourcing library store our Structs instead of its own event classes."""

    def __init__(self) -> None:
        super().__init__(transcoder=JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """The row of an event; its state repeats id and version, which reveals a swapped row."""
        event = cast("Event", domain_event)
        return StoredEvent(
            originator_id=event.post_id,
            originator_version=event.version,
            topic=topic_of(event),
            state=_ENCODER.encode(event),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """The event of a row; see `decode_event`."""
        row = EventRow(
            post_id=cast("UUID", stored_event.originator_id),
            version=stored_event.originator_version,
            topic=stored_event.topic,
            state=stored_event.state,
        )
        return cast("DomainEventProtocol[UUID]", decode_event(row))
