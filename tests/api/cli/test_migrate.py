"""`nova migrate` looks at the settings of the services' role before it changes anything."""

from collections.abc import Iterator
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
import typer
from psycopg import sql
from psycopg.conninfo import make_conninfo

from api.cli.migrate import migrate


def run(url: str, statement: LiteralString, role: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(role)))


@pytest.fixture
def role(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The role of the services, of the test's own; the settings name it, and the owner."""
    role = f"role_{uuid4().hex}"
    run(empty_database_url, "CREATE ROLE {} LOGIN PASSWORD 'p'", role)
    services_url = make_conninfo(empty_database_url, user=role, password="p")
    monkeypatch.setenv("DATABASE_URL", services_url)
    monkeypatch.setenv("DATABASE_OWNER_URL", empty_database_url)
    yield role
    run(empty_database_url, "DROP OWNED BY {}", role)
    run(empty_database_url, "DROP ROLE {}", role)


def test_a_setting_that_the_services_must_not_have_stops_it_before_anything_changes(
    role: str, empty_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(empty_database_url, "ALTER ROLE {} SET default_transaction_isolation = serializable", role)
    with pytest.raises(typer.Exit) as ended:
        migrate(skips_bucket=True)
    assert ended.value.exit_code == 1
    assert f'ALTER ROLE "{role}" RESET' in capsys.readouterr().err
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT to_regclass('post_events')").fetchone() == (None,)


def test_a_role_that_cannot_connect_yet_is_said_not_to_have_been_checked(
    role: str, empty_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(empty_database_url, "ALTER ROLE {} NOLOGIN", role)
    migrate([role], skips_bucket=True)
    said = capsys.readouterr().out
    assert "were not checked: it cannot connect" in said
    assert f"Role {role} may run the services." in said
