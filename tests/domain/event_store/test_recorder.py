"""The recorder on a real PostgreSQL: which failures it retries, and how long it may hold a lock."""

from typing import cast
from uuid import uuid4

import psycopg
import pytest

from domain.event_store.publishing import Publishing
from domain.event_store.recorder import Recorder
from tests.histories import create_post
from tests.sql import known_limits

# A sequence counts on although its transaction fails: the second attempt succeeds.
FAIL_ONCE = """
CREATE SEQUENCE attempts;
CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('attempts') = 1 THEN
        RAISE EXCEPTION 'as the server says it' USING ERRCODE = '{sqlstate}';
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER fail_once BEFORE INSERT ON post_events
    FOR EACH ROW EXECUTE FUNCTION fail_once();
"""

# As when the server gives up waiting for a standby.
WARN_ONCE = """
CREATE SEQUENCE attempts;
CREATE FUNCTION warn_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'no matter';
    IF nextval('attempts') = 1 THEN
        RAISE WARNING 'as the server says it';
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER warn_once BEFORE INSERT ON post_events
    FOR EACH ROW EXECUTE FUNCTION warn_once();
"""


@pytest.mark.parametrize(
    "sqlstate",
    ["57P01", "57014", "55P03", "25P04"],
    ids=["shutdown", "statement timeout", "lock timeout", "transaction timeout"],
)
def test_an_append_that_the_server_ended_is_retried_and_stored_once(
    publishing: Publishing, database_url: str, sqlstate: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(FAIL_ONCE.format(sqlstate=sqlstate).encode())
    post_id = uuid4()

    outcome = publishing.execute(create_post(post_id))

    assert publishing.history(post_id) == [*outcome.events]


def test_an_append_that_the_server_warns_of_is_not_acknowledged_at_once(
    publishing: Publishing, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(WARN_ONCE)
    post_id = uuid4()

    outcome = publishing.execute(create_post(post_id))

    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT last_value FROM attempts").fetchone() == (2,)
    assert publishing.history(post_id) == [*outcome.events]


def test_no_transaction_or_statement_of_a_writer_takes_long(publishing: Publishing) -> None:
    recorder = cast("Recorder", publishing.recorder)
    with recorder.datastore.get_connection() as connection:
        limits = ("transaction_timeout", "statement_timeout", "lock_timeout")
        for limit in known_limits(connection, limits):
            (shown,) = connection.execute(f"SHOW {limit}".encode()).fetchall()
            assert shown[limit] == "3s"
