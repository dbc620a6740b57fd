"""The server's settings that the services rely on: set for the database, or refused.

They are set for the database, not by each connection, so that they hold behind poolers as well.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, LiteralString

import psycopg
from psycopg import Connection, sql
from psycopg.errors import InsufficientPrivilege

ENCODING: Final = "UTF8"
# The log's lock relies on the isolation: each statement sees what was stored before it got it.
RELIED_ON: Final = {
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "default_transaction_deferrable": "off",
    "default_transaction_isolation": "read committed",
    "standard_conforming_strings": "on",
}
# What goes before the settings of a database, and how it is taken back.
_STRONGER: Final[Mapping[str, LiteralString]] = {
    "user": "ALTER ROLE {role} RESET {setting}",
    "database user": "ALTER ROLE {role} IN DATABASE {database} RESET {setting}",
}
_RESETS: Final[Mapping[str, LiteralString]] = {
    **_STRONGER,
    "database": "ALTER DATABASE {database} RESET {setting}",
}
_CONNECT_TIMEOUT_SECONDS: Final = 10
_SOURCE: Final = "SELECT current_setting(name), source FROM pg_settings WHERE name = %s"


class UnfitDatabase(Exception):
    """Settings with which the services or migrating go wrong; the message says which."""


def settle(connection: Connection[Any]) -> None:
    """Give the database, and this connection, the settings that the services rely on.

    Raises:
        UnfitDatabase: its encoding is another, or its settings belong to another role.
    """
    encoding = _shown(connection, "server_encoding")
    if encoding != ENCODING:
        raise UnfitDatabase(
            f"the database's encoding is {encoding}: create it anew with ENCODING '{ENCODING}'"
        )
    name = connection.info.dbname
    for setting, value in RELIED_ON.items():
        if _shown(connection, setting) != value:
            _set(connection, name, setting, value)


def check_role(url: str) -> None:
    """Check that the role of a connection string has no settings that go before the database's.

    Raises:
        UnfitDatabase: it has; the message has the statements that take them back.
        psycopg.OperationalError: the role cannot connect.
    """
    with psycopg.connect(url, connect_timeout=_CONNECT_TIMEOUT_SECONDS) as connection:
        if problems := [*_stronger(connection)]:
            raise UnfitDatabase("; ".join(problems))


def describe_lock_timeout(connection: Connection[Any]) -> str:
    """What to do about a lock that was not free in time, with the setting that says so."""
    found, source = connection.execute(_SOURCE, ["lock_timeout"]).fetchall()[0]
    ways = "run it again when other sessions are done"
    if source in _RESETS:
        ways += f", or lift the limit by {_reset(connection, 'lock_timeout', source)}"
    return f"a lock was not free within the lock_timeout of this role ({found}): {ways}"


def _stronger(connection: Connection[Any]) -> Iterator[str]:
    for setting, value in RELIED_ON.items():
        found, source = connection.execute(_SOURCE, [setting]).fetchall()[0]
        if found == value:
            continue
        if source in _STRONGER:
            yield (
                f"role {connection.info.user} has its own {setting} ({found}), which has to be"
                f" {value}: take it back by {_reset(connection, setting, source)}"
            )
        elif source == "client":
            yield f"the connection string, or libpq's environment, sets {setting}: take it out"


def _reset(connection: Connection[Any], setting: str, source: str) -> str:
    names = {
        "role": sql.Identifier(connection.info.user),
        "database": sql.Identifier(connection.info.dbname),
        "setting": sql.Identifier(setting),
    }
    return sql.SQL(_RESETS[source]).format(**names).as_string()


def _set(connection: Connection[Any], database: str, setting: str, value: str) -> None:
    parts = {
        "database": sql.Identifier(database),
        "setting": sql.Identifier(setting),
        "value": sql.Literal(value),
    }
    statement = sql.SQL("ALTER DATABASE {database} SET {setting} TO {value}").format(**parts)
    try:
        connection.execute(statement)
    except InsufficientPrivilege as error:
        raise UnfitDatabase(
            f"the database's {setting} has to be {value}: its owner can set it by"
            f" {statement.as_string()}"
        ) from error
    connection.execute(sql.SQL("SET {setting} TO {value}").format(**parts))


def _shown(connection: Connection[Any], setting: str) -> str:
    found = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
    return str(found[0]) if found else ""
