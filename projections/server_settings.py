"""The server's settings that the services rely on: set for the database, or refused.

They are set for the database, not by each connection, so that they hold behind poolers as well.
"""

from typing import Any, Final

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


class UnfitDatabase(Exception):
    """The database has settings with which the services would go wrong; the message says which."""


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
