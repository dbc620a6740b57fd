"""The URL of the database: nobody waits for a vanished one, unless told to."""

import socket

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from domain.database_url import with_timeouts
from domain.settings import DatabaseSettings, load_settings

TCP_USER_TIMEOUT = 18


def test_what_a_url_says_itself_stays() -> None:
    options = conninfo_to_dict(
        with_timeouts("postgresql://me@host/nova?connect_timeout=3&sslmode=require")
    )
    assert (options["connect_timeout"], options["sslmode"]) == ("3", "require")
    assert options["tcp_user_timeout"] == "10000"


@pytest.mark.parametrize("url", ["", "host=here dbname=nova"])
def test_what_is_no_url_is_left_alone(url: str) -> None:
    assert with_timeouts(url) == url


def test_connections_of_every_process_end_when_nobody_answers(database_url: str) -> None:
    settings = load_settings(DatabaseSettings, {"DATABASE_URL": database_url})
    with (
        psycopg.connect(settings.url) as connection,
        socket.socket(fileno=connection.fileno()) as used,
    ):
        assert used.getsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT) == 10_000
        assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        used.detach()
