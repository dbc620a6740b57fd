"""`nova audit` reads from a standby, which may be behind, and goes on without one."""

import json
import subprocess
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from domain.event_store.publishing import Publishing
from tests.acceptance.commands import run_nova
from tests.histories import create_post

UNREACHABLE = "postgresql://nova@127.0.0.1:9/nova?connect_timeout=2"
BEHIND = "nova: reading from a standby, up to position 1 of 3."


@pytest.fixture
def standby_url(postgres_server: str, migrated_template: str, database_url: str) -> Iterator[str]:
    """A read-only database with the first event of the other, which has three."""
    name = f"test_{uuid4().hex}"
    own, template = sql.Identifier(name), sql.Identifier(migrated_template)
    url = make_conninfo(postgres_server, dbname=name)
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(own, template))
        created = create_post()
        with Publishing(url) as behind, Publishing(database_url) as primary:
            behind.execute(created)
            for command in (created, create_post(), create_post()):
                primary.execute(command)
        yield make_conninfo(url, options="-c default_transaction_read_only=on")
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(own))


def run_audit(*words: str, url: str, read_url: str) -> subprocess.CompletedProcess[str]:
    return run_nova("audit", *words, DATABASE_URL=url, DATABASE_READ_URL=read_url)


def test_queries_read_from_the_standby_and_are_recorded_on_the_primary(
    database_url: str, standby_url: str
) -> None:
    said = run_audit("events", "--json", url=database_url, read_url=standby_url)
    assert (said.returncode, said.stderr.strip()) == (0, BEHIND)
    assert [json.loads(line)["position"] for line in said.stdout.splitlines()] == [1]
    with psycopg.connect(database_url) as primary:
        recorded = primary.execute("SELECT question FROM audit_accesses").fetchall()
    assert recorded == [("nova audit events",)]


def test_without_an_answer_of_the_standby_queries_read_from_the_primary(
    database_url: str, standby_url: str
) -> None:
    del standby_url  # for the events of the primary
    said = run_audit("events", "--json", url=database_url, read_url=UNREACHABLE)
    assert said.returncode == 0
    assert said.stderr.strip() == "nova: the standby does not answer: reading from the primary."
    assert len(said.stdout.splitlines()) == 3


def test_a_standby_that_is_behind_is_blamed_for_nothing(
    database_url: str, standby_url: str
) -> None:
    sealed = run_audit("verify", "--seal", url=database_url, read_url=standby_url)
    assert (sealed.returncode, sealed.stderr) == (0, "")
    verified = run_audit("verify", url=database_url, read_url=standby_url)
    assert (verified.returncode, verified.stderr.strip()) == (0, BEHIND)
    assert "OK: 0 events match 0 checkpoints." in verified.stdout
