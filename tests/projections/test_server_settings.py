"""Settings of the server: migrating gives the database what the services rely on, or refuses it."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from api.migrate import migrate
from projections.server_settings import RELIED_ON, UnfitDatabase

OTHERS = {
    "DateStyle": "German, DMY",
    "IntervalStyle": "iso_8601",
    "bytea_output": "escape",
    "default_transaction_deferrable": "on",
    "default_transaction_isolation": "serializable",
    "standard_conforming_strings": "off",
}


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
