"""The URL of the database: nobody waits for a vanished one, unless told to."""

import socket
from traceback import format_exception

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from domain.database_url import is_database_url, limited
from domain.settings import DatabaseSettings, WrongSettings, load_settings
from projections.settings import owner_settings

TCP_USER_TIMEOUT = 18


def test_what_a_url_says_itself_stays() -> None:
    options = conninfo_to_dict(
        limited("postgresql://me@host/nova?connect_timeout=3&sslmode=require")
    )
    assert (options["connect_timeout"], options["sslmode"]) == ("3", "require")
    assert options["tcp_user_timeout"] == "10000"


@pytest.mark.parametrize("url", ["postgresql://one,two/nova", "hostaddr=10.0.0.1,10.0.0.2"])
def test_of_several_hosts_each_gets_less_time(url: str) -> None:
    assert conninfo_to_dict(limited(url))["connect_timeout"] == "3"
    assert conninfo_to_dict(limited("postgresql://one/nova"))["connect_timeout"] == "10"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql:///nova?host=/var/run/postgresql",
        "postgres://nova:p%40ss@db.example:5432/nova?sslmode=require",
        "postgresql://one,two:5433/nova?target_session_attrs=read-write",
        "postgresql://nova@[2001:db8::1]:5432/nova",
        "postgresql://%2Fvar%2Frun/nova",
        "postgresql:///?host=/var/run/postgresql&port=5433&dbname=nova",
        "postgresql://one:5432,two:5433,[::1]:5434/nova?load_balance_hosts=random",
        "service=nova",
        "host=/var/run/postgresql dbname=nova",
        "host=one,two port=5432,5433 user=nova password='p@ss word' dbname=nova",
        r"host = db.example password = 'it\'s p@ss/?#%'",
    ],
)
def test_a_url_that_libpq_reads_is_one(url: str) -> None:
    assert is_database_url(url)
    assert conninfo_to_dict(limited(url))["tcp_user_timeout"] == "10000"


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "host=here dbname",
        "host=here hunter2=x",
        "host=here password=two words",
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


def test_a_url_without_a_host_keeps_its_parts() -> None:
    options = conninfo_to_dict(limited("postgresql:///nova?host=/var/run/postgresql"))
    assert (options["dbname"], options["host"]) == ("nova", "/var/run/postgresql")


@pytest.mark.parametrize(
    "name",
    ["DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_DIRECT_URL", "DATABASE_READ_URL"],
)
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nova:hunter2@x@host/db",
        "postgresql://nova:%hunter2@host/db",
        "host=here password=a hunter2",
        "host=here password='hunter2",
        "host=here hunter2=x",
    ],
)
def test_a_wrong_one_is_named_and_never_shown(
    url: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://here")
    monkeypatch.setenv(name, url)
    with pytest.raises(WrongSettings, match=f"^{name} is wrong: use postgresql://") as wrong:
        owner_settings()
    assert "hunter2" not in "".join(format_exception(wrong.value))


def test_connections_of_every_process_end_when_nobody_answers(database_url: str) -> None:
    settings = load_settings(DatabaseSettings, {"DATABASE_URL": database_url})
    with (
        psycopg.connect(settings.url) as connection,
        socket.socket(fileno=connection.fileno()) as used,
    ):
        assert used.getsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT) == 10_000
        assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        used.detach()


def test_what_needs_a_session_goes_past_the_pooler() -> None:
    environ = {"DATABASE_URL": "postgresql://pooler/nova"}
    alone = load_settings(DatabaseSettings, environ)
    assert (alone.is_pooled, alone.session_url) == (False, alone.url)
    direct = load_settings(
        DatabaseSettings, {**environ, "DATABASE_DIRECT_URL": "postgresql://server/nova"}
    )
    assert direct.is_pooled
    assert conninfo_to_dict(direct.session_url)["host"] == "server"
    assert conninfo_to_dict(direct.url)["host"] == "pooler"
