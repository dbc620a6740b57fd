"""Settings of the server: migrating gives the database what the services rely on, or refuses it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString
from uuid import uuid4

import anyio
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api.migrate import migrate
from projections.connection import connected
from projections.migrate import ADVISORY_LOCK
from projections.server_settings import RELIED_ON, UnfitDatabase, check_role

OTHERS = {
    "DateStyle": "German, DMY",
    "IntervalStyle": "iso_8601",
    "bytea_output": "escape",
    "default_transaction_deferrable": "on",
    "default_transaction_isolation": "serializable",
    "standard_conforming_strings": "off",
}

TIME_LIMITS = {
    "statement_timeout": "1s",
    "idle_session_timeout": "1s",
    "idle_in_transaction_session_timeout": "1s",
}
LONGER_SECONDS = 1.5


def run(url: str, statement: Any) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def shown(url: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        return {
            name: connection.execute("SELECT current_setting(%s)", [name]).fetchall()[0][0]
            for name in RELIED_ON
        }


def alter(name: str, values: dict[str, str], url: str) -> None:
    for setting, value in values.items():
        query = sql.SQL("ALTER DATABASE {} SET {} TO {}")
        run(url, query.format(sql.Identifier(name), sql.Identifier(setting), value))


def test_migrating_sets_what_the_services_rely_on(database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    alter(name, OTHERS, database_url)
    assert shown(database_url) == OTHERS
    migrate(database_url)
    assert shown(database_url) == RELIED_ON


def test_settings_of_another_role_are_refused_with_the_statement_that_mends_them(
    database_url: str,
) -> None:
    name, role = database_url.rpartition("/")[2], f"role_{uuid4().hex}"
    alter(name, {"default_transaction_isolation": "serializable"}, database_url)
    run(database_url, sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'p'").format(sql.Identifier(role)))
    with pytest.raises(UnfitDatabase, match=r"has to be read committed: .* ALTER DATABASE"):
        migrate(make_conninfo(database_url, user=role, password="p"))
    run(database_url, sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_another_encoding_is_refused(postgres_server: str) -> None:
    name = f"test_{uuid4().hex}"
    create = "CREATE DATABASE {} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
    run(postgres_server, sql.SQL(create).format(sql.Identifier(name)))
    with pytest.raises(UnfitDatabase, match="encoding is LATIN1"):
        migrate(make_conninfo(postgres_server, dbname=name))
    run(postgres_server, sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


@pytest.fixture
def role_url(database_url: str) -> Iterator[str]:
    """The database as a role of the test's own."""
    role = f"role_{uuid4().hex}"
    run(database_url, sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'p'").format(sql.Identifier(role)))
    yield make_conninfo(database_url, user=role, password="p")
    run(database_url, sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@pytest.mark.parametrize("where", ["", "IN DATABASE {database} "], ids=["everywhere", "here"])
def test_a_setting_of_the_services_role_is_refused_with_the_statement_that_mends_it(
    database_url: str, role_url: str, where: LiteralString
) -> None:
    names = {
        key: sql.Identifier(str(conninfo_to_dict(role_url)[name]))
        for key, name in (("role", "user"), ("database", "dbname"))
    }
    change = sql.SQL("ALTER ROLE {role} " + where + "SET bytea_output TO escape").format(**names)
    run(database_url, change)
    with pytest.raises(UnfitDatabase, match=r"bytea_output \(escape\).* has to be hex") as refused:
        check_role(role_url)
    mended = str(refused.value).partition("take it back by ")[2]
    run(database_url, mended.encode())
    check_role(role_url)


def test_what_migrating_sets_for_the_database_is_no_reason_to_refuse_a_role(
    database_url: str, role_url: str
) -> None:
    alter(database_url.rpartition("/")[2], OTHERS, database_url)
    check_role(role_url)


def test_a_setting_of_the_connection_string_is_refused(role_url: str) -> None:
    with pytest.raises(UnfitDatabase, match=r"connection string.* sets bytea_output"):
        check_role(make_conninfo(role_url, options="-c bytea_output=escape"))


def test_time_limits_of_a_database_do_not_end_migrating(
    postgres_server: str, empty_database_url: str
) -> None:
    with (
        psycopg.connect(empty_database_url, autocommit=True) as other,
        ThreadPoolExecutor() as pool,
    ):
        alter(empty_database_url.rpartition("/")[2], TIME_LIMITS, postgres_server)
        other.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
        migrating = pool.submit(migrate, empty_database_url)
        # It waits, for longer than any limit.
        with pytest.raises(TimeoutError):
            migrating.result(timeout=LONGER_SECONDS)
        other.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])
        assert migrating.result().migrations


def test_commands_and_followers_have_no_time_limits_but_their_own(
    postgres_server: str, database_url: str
) -> None:
    alter(database_url.rpartition("/")[2], TIME_LIMITS, postgres_server)
    anyio.run(wait_for_long, database_url)


async def wait_for_long(url: str) -> None:
    async with connected(url) as connection:
        await connection.execute("SELECT pg_sleep(%s)", [LONGER_SECONDS])
        await anyio.sleep(LONGER_SECONDS)
        await connection.execute("SELECT")


def test_a_lock_that_is_not_free_in_time_is_named_with_the_limit(database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    alter(name, {"lock_timeout": "50ms"}, database_url)
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
        with pytest.raises(UnfitDatabase, match=r"\(50ms\).* ALTER DATABASE .* RESET") as named:
            migrate(database_url)
        run(database_url, str(named.value).partition(" by ")[2].encode())
    migrate(database_url)
