"""The position sequence: `nova migrate` brings it above what the log and its followers passed."""

from typing import Any

import psycopg
import pytest

from api.migrate import migrate
from domain.errors import SequenceBehind
from domain.event_store.publishing import Publishing
from projections.position_sequence import Mended
from tests.histories import create_post

SEQUENCE = "pg_get_serial_sequence('post_events', 'notification_id')"


def set_sequence(url: str, value: str) -> None:
    run(url, f"SELECT setval({SEQUENCE}, {value})".encode())


def run(url: str, statement: Any) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement)


def create_posts(publishing: Publishing, number: int) -> list[int | None]:
    return [publishing.execute(create_post()).position for _ in range(number)]


@pytest.mark.parametrize(("value", "was"), [("1, false", 1), ("1", 2), ("2", 3), ("3, false", 3)])
def test_a_sequence_behind_the_log_is_mended_by_migrating(
    publishing: Publishing, database_url: str, value: str, was: int
) -> None:
    create_posts(publishing, 3)
    set_sequence(database_url, value)
    with pytest.raises(SequenceBehind):
        publishing.execute(create_post())
    assert migrate(database_url).mended == Mended(was=was, now=4)
    assert create_posts(publishing, 2) == [4, 5]


@pytest.mark.parametrize("value", ["3", "4, false", "40"])
def test_a_sequence_above_the_log_stays_as_it_is(
    publishing: Publishing, database_url: str, value: str
) -> None:
    create_posts(publishing, 3)
    set_sequence(database_url, value)
    assert migrate(database_url).mended is None
    assert create_posts(publishing, 1) == [41 if value == "40" else 4]


@pytest.mark.parametrize(
    "passed",
    [
        "UPDATE projection_positions SET position = 9 WHERE projection = 'usage'",
        "UPDATE log_sealing SET position = 9",
    ],
)
def test_what_is_appended_after_a_restore_is_above_what_followers_have_passed(
    publishing: Publishing, database_url: str, passed: str
) -> None:
    create_posts(publishing, 3)
    run(database_url, passed.encode())
    assert migrate(database_url).mended == Mended(was=4, now=10)
    assert create_posts(publishing, 1) == [10]
