"""docs/high-availability.md: a server takes its SQL and settings, and libpq its URLs."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec.yaml
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from domain.database_url import is_database_url, limited
from tests.server_pairs import Pair, run_pair

PAGE = (Path(__file__).parents[2] / "docs" / "high-availability.md").read_text()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with run_pair("async") as pair:
        yield pair


def blocks(language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_primary_takes_every_statement(pair: Pair) -> None:
    statements = [each for block in blocks("sql") for each in block.split(";") if each.strip()]
    with psycopg.connect(pair.primary.url, autocommit=True) as connection:
        said = [connection.execute(each.encode()) for each in statements]
        found = {
            column.name: value
            for each in said
            if each.description
            for column, value in zip(each.description, each.fetchone() or (), strict=False)
        }
    # The standby of the test has another name than those of the page.
    assert (found["state"], found["sync_state"]) == ("streaming", "async")
    assert (found["pg_is_in_recovery"], found["current_setting"]) == (False, "off")


def test_the_server_knows_the_settings_given_to_patroni(pair: Pair) -> None:
    [configuration] = blocks("yaml")
    settings = msgspec.yaml.decode(configuration)["bootstrap"]["dcs"]["postgresql"]["parameters"]
    for name, value in settings.items():
        assert isinstance(value, str)
        assert pair.primary.ask("SELECT vartype FROM pg_settings WHERE name = %s", name)
    assert settings["synchronous_commit"] == pair.primary.ask("SHOW synchronous_commit")


def test_the_connection_string_leads_to_each_server() -> None:
    line, _ = blocks("text")
    name, _, url = line.strip().partition("=")
    assert name == "DATABASE_URL"
    assert is_database_url(url)
    options = conninfo_to_dict(limited(url))
    assert options["host"] == "one.example,two.example"
    assert (options["target_session_attrs"], options["connect_timeout"]) == ("read-write", "3")
