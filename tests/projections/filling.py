"""Filling: a log of many published posts at once, past the writer, as only COPY is fast enough."""

from typing import Final
from uuid import UUID, uuid4

import psycopg

from domain.events import Event
from domain.mapper import EventMapper
from tests.histories import after, publishing_commands

EVENTS_PER_POST: Final = 6
POSTS_IN_FLIGHT: Final = 20


def fill(url: str, events: int) -> int:
    """Add so many events of published posts, interleaved as posts in flight are; count them all."""
    mapper = EventMapper()
    with psycopg.connect(url) as connection:
        copy = "COPY post_events (originator_id, originator_version, topic, state) FROM STDIN"
        with connection.cursor().copy(copy) as rows:
            for _ in range(0, events // EVENTS_PER_POST, POSTS_IN_FLIGHT):
                histories = [published(uuid4()) for _ in range(POSTS_IN_FLIGHT)]
                for event in [event for step in zip(*histories, strict=True) for event in step]:
                    stored = mapper.to_stored_event(event)
                    row = (stored.originator_id, stored.originator_version)
                    rows.write_row((*row, stored.topic, stored.state))
        [found] = connection.execute("SELECT count(*) FROM post_events").fetchall()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE post_events")
    return int(found[0])


def published(post_id: UUID) -> list[Event]:
    """Everything that happens to a post until it is published."""
    return after(*publishing_commands(post_id))[1]
