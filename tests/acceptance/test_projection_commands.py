"""`nova projections` as operators use it, and its errors."""

import json
import subprocess
from uuid import uuid4

import psycopg
import pytest

from domain.event_store.publishing import Publishing
from tests.acceptance.commands import run_nova
from tests.histories import publishing_commands
from tests.sql import append_poison


def run_projections(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    return run_nova("projections", *words, DATABASE_URL=url)


@pytest.fixture
def url(publishing: Publishing, database_url: str) -> str:
    """A database with a published post in its log."""
    for command in publishing_commands(uuid4()):
        publishing.execute(command)
    return database_url


def test_an_operator_rebuilds_verifies_and_sees_where_it_stands(url: str) -> None:
    assert "position  0 of 6" in run_projections(url, "status").stdout
    rebuilt = run_projections(url, "rebuild", "posts")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert "OK: posts rebuilt" in rebuilt.stdout
    assert run_projections(url, "verify").returncode == 0
    assert run_projections(url, "rebuild", "usage").returncode == 0
    found = map(json.loads, run_projections(url, "status", "--json").stdout.splitlines())
    [status] = [each for each in found if each["projection"] == "posts"]
    assert (status["position"], status["head"], status["lag_events"]) == (6, 6, 0)
    lines = run_projections(url, "rebuild", "posts", "--json").stdout.splitlines()
    assert json.loads(lines[-1])["position"] == 6


def test_verify_lists_what_differs_and_fails(url: str) -> None:
    run_projections(url, "rebuild", "posts")
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM post_images WHERE variant = 'medium'")
    found = run_projections(url, "verify", "posts", "--json")
    assert found.returncode == 1
    [difference] = json.loads(found.stdout)["differences"]
    assert (difference["table"], difference["found"]) == ("post_images", None)
    assert "FAILED: posts has 1 difference at position 6" in run_projections(url, "verify").stdout


def test_what_is_wrong_is_said_in_one_line(url: str) -> None:
    append_poison(url)
    rebuilt = run_projections(url, "rebuild", "posts")
    assert rebuilt.returncode == 1
    assert "unreadable" in rebuilt.stderr
    assert "Traceback" not in rebuilt.stderr
    skipped = run_projections(url, "skip", "posts", "7", "--reason", "because")
    assert "not stopped at position 7" in skipped.stderr
    assert "is not stopped" in run_projections(url, "retry", "posts").stdout
    assert run_projections(url, "verify", "nothing").returncode == 2
