"""Clocks that tests set: a machine that is ahead of its database, and time that passes for both."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final
from unittest.mock import patch

import psycopg
import time_machine
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from domain.event_store.clock import DatabaseClock

AHEAD: Final = timedelta(minutes=5)


def set_clock_back(url: str) -> None:
    """Set the clock of a database back by `AHEAD`, for all sessions from now on."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA behind")
        for name in ("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp"):
            body = f"SELECT pg_catalog.{name}() - interval '{AHEAD.total_seconds()} s'"
            connection.execute(
                sql.SQL(
                    "CREATE FUNCTION behind.{} () RETURNS timestamptz LANGUAGE sql AS {}"
                ).format(sql.Identifier(name), sql.Literal(body))
            )
        database = str(conninfo_to_dict(url)["dbname"])
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET search_path = behind, public, pg_catalog").format(
                sql.Identifier(database)
            )
        )


def database_now(url: str) -> datetime:
    """The time by the clock of the database."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


@contextmanager
def later(by: timedelta) -> Iterator[None]:
    """Let time pass for the block, by this machine's clock and by the database's."""
    now = DatabaseClock.now
    with (
        time_machine.travel(datetime.now(UTC) + by),
        patch.object(DatabaseClock, "now", lambda clock: now(clock) + by),
    ):
        yield
