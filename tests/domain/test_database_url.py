"""The URL of the database: nobody waits for a vanished one, unless told to."""

import socket

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from domain.database_url import is_database_url, with_timeouts
from domain.settings import DatabaseSettings, load_settings

TCP_USER_TIMEOUT = 18


def test_what_a_url_says_itself_stays() -> None:
    options = conninfo_to_dict(
        with_timeouts("postgresql://me@host/nova?connect_timeout=3&sslmode=require")
    )
    assert (options["connect_timeout"], options["sslmode"]) == ("3", "require")
    assert options["tcp_user_timeout"] == "10000"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql:///nova?host=/var/run/postgresql",
        "postgres://nova:p%40ss@db.example:5432/nova?sslmode=require",
        "postgresql://one,two:5433/nova?target_session_attrs=read-write",
        "postgresql://nova@[2001:db8::1]:5432/nova",
        "postgresql://%2Fvar%2Frun/nova",
    ],
)
def test_a_url_that_libpq_reads_is_one(url: str) -> None:
    assert is_database_url(url)
    assert conninfo_to_dict(with_timeouts(url))["tcp_user_timeout"] == "10000"


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "host=here dbname=nova",
        "postgresq://nova@host/db",
        "mysql://nova@host/db",
        "postgresql:nova",
        "postgresql://nova:p@ss@host/db",
        "postgresql://nova:p/ss@host/db",
        "postgresql://nova:p?ss@host/db",
        "postgresql://nova:p#ss@host/db",
        "postgresql://nova:p%ss@host/db",
        "postgresql://host:port/db",
    ],
)
def test_a_url_whose_parts_run_into_each_other_is_none(url: str) -> None:
    assert not is_database_url(url)


def test_connections_of_every_process_end_when_nobody_answers(database_url: str) -> None:
    settings = load_settings(DatabaseSettings, {"DATABASE_URL": database_url})
    with (
        psycopg.connect(settings.url) as connection,
        socket.socket(fileno=connection.fileno()) as used,
    ):
        assert used.getsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT) == 10_000
        assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        used.detach()
