"""Filling: a log of many published posts at once, past the writer, as only COPY is fast enough."""

from typing import Final, cast
from uuid import UUID, uuid4

import psycopg
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import StoredEvent

from domain.event_store.mapper import EventMapper
from tests.histories import after, publishing_commands

EVENTS_PER_POST: Final = 6
POSTS_IN_FLIGHT: Final = 20
_MAPPER: Final = EventMapper()


def fill(url: str, events: int) -> int:
    """Add so many events of published posts, interleaved as posts in flight are; count them all."""
    with psycopg.connect(url) as connection:
        copy = "COPY post_events (originator_id, originator_version, topic, state) FROM STDIN"
        with connection.cursor().copy(copy) as rows:
            for _ in range(0, events // EVENTS_PER_POST, POSTS_IN_FLIGHT):
                histories = [published(uuid4()) for _ in range(POSTS_IN_FLIGHT)]
                for stored in [stored for step in zip(*histories, strict=True) for stored in step]:
                    row = (stored.originator_id, stored.originator_version)
                    rows.write_row((*row, stored.topic, stored.state))
        [found] = connection.execute("SELECT count(*) FROM post_events").fetchall()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE post_events")
    return int(found[0])


def published(post_id: UUID) -> list[StoredEvent]:
    """The rows of everything that happens to a post until it is published."""
    _, events = after(*publishing_commands(post_id))
    return [_MAPPER.to_stored_event(cast("DomainEventProtocol[UUID]", event)) for event in events]
