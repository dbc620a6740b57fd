"""Writers that go on through every outage, and know what was acknowledged to them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg

from domain.errors import EventStoreUnavailable
from domain.event_store.publishing import Publishing
from tests.histories import NOON, create_post

# Long from now: no duty of a worker ends these uploads.
EXPIRY = NOON + timedelta(days=36_500)


@contextmanager
def writing(url: str, writers: int) -> Iterator[dict[str, int | None]]:
    """Create post after post until the block ends; the acknowledged events with their positions."""
    stopped = threading.Event()
    acknowledged: dict[str, int | None] = {}

    def write() -> None:
        with Publishing(url, pool_size=1) as publishing:
            while not stopped.is_set():
                try:
                    outcome = publishing.execute(create_post(upload_expires_at=EXPIRY))
                except EventStoreUnavailable:
                    continue
                acknowledged[str(outcome.events[0].event_id)] = outcome.position

    threads = [threading.Thread(target=write) for _ in range(writers)]
    for thread in threads:
        thread.start()
    try:
        yield acknowledged
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def lost_of(acknowledged: dict[str, int | None], url: str) -> set[str]:
    """The acknowledged events that the log does not have at their positions."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT event_field(state, 'event_id'), notification_id FROM post_events"
        ).fetchall()
    stored: dict[str, int] = dict(rows)
    assert len(stored) == len(rows)
    return {id_ for id_, position in acknowledged.items() if stored.get(id_) != position}
