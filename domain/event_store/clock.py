"""The clock of the database: it says when events happened, whatever a machine's own clock shows.

It is read whenever a connection opens, and goes on by this process's monotonic clock in between.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection

_NOW: Final = "SELECT clock_timestamp() AS now"


class _Reading(Struct, frozen=True):
    """What the database's clock showed, and this process's monotonic clock in seconds."""

    now: datetime
    at: float


class DatabaseClock:
    """The time by the database's clock, to within a round trip; safe to use from any thread."""

    def __init__(self) -> None:
        self._reading: _Reading | None = None

    def read(self, connection: Connection[Any]) -> None:
        """Read the clock over a connection whose rows are dicts.

        Raises:
            psycopg.Error: the database does not answer.
        """
        before = time.monotonic()
        [row] = connection.execute(_NOW).fetchall()
        after = time.monotonic()
        self._reading = _Reading(row["now"].astimezone(UTC), (before + after) / 2)

    def now(self) -> datetime:
        """The time in UTC; by this machine's clock as long as no connection has been opened."""
        reading = self._reading
        if reading is None:
            return datetime.now(UTC)
        return reading.now + timedelta(seconds=time.monotonic() - reading.at)
