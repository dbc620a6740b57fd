"""SQL functions: one file each, named after its function, beside the code that it serves.

Each file holds the only text of its function, as CREATE OR REPLACE. Where the signature changes,
the earlier function is dropped; only when an index or a trigger depends on that one does a
migration have to drop it first.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from psycopg import Connection
from psycopg.errors import InvalidFunctionDefinition

Rows: TypeAlias = Connection[tuple[Any, ...]]

_OURS: Final = """
FROM pg_proc AS ours JOIN pg_language AS language ON language.oid = ours.prolang
WHERE ours.proname = ANY (%(names)s) AND ours.pronamespace = current_schema()::regnamespace
"""
_DEFINITIONS: Final = f"SELECT ours.proname, pg_get_functiondef(ours.oid) {_OURS}"
_DROPS: Final = f"SELECT format('DROP ROUTINE %%s', ours.oid::regprocedure) {_OURS}"
# Of PL/pgSQL the syntax is checked, of SQL also that the tables and functions it names exist.
_CHECKS: Final = f"SELECT format('SELECT %%s(%%s)', lanvalidator::regproc, ours.oid) {_OURS}"


def find_functions(folders: Iterable[Path]) -> list[Path]:
    """Every function file in these folders and below; files of migrations are none."""
    files = [file for folder in folders for file in folder.rglob("*.sql")]
    return sorted(file for file in files if file.parent.name != "migrations")


def read_definitions(connection: Rows, functions: Sequence[Path]) -> dict[str, str]:
    """The definitions of those functions that the database has, by name."""
    return dict(connection.execute(_DEFINITIONS, {"names": _names(functions)}).fetchall())


def create_missing(connection: Rows, functions: Sequence[Path]) -> None:
    """Create the functions that the database lacks, so that indexes and triggers can use them.

    They are not checked: their tables may not exist yet. Functions that exist stay as they are,
    because running processes call them while migrations run.
    """
    known = read_definitions(connection, functions)
    with connection.transaction():
        connection.execute("SET LOCAL check_function_bodies = off")
        for function in functions:
            if function.stem not in known:
                connection.execute(function.read_bytes())


def replace_all(connection: Rows, functions: Sequence[Path]) -> None:
    """Bring every function to the text of its file, in one transaction, then check them all.

    Raises:
        psycopg.Error: a function is wrong, or uses a table or function that does not exist.
    """
    with connection.transaction():
        # Functions call each other in any order, so check none before all are there.
        connection.execute("SET LOCAL check_function_bodies = off")
        for function in functions:
            _replace(connection, function)
        connection.execute("SET LOCAL check_function_bodies = on")
        _run_generated(connection, _generate(connection, _CHECKS, functions))


def _replace(connection: Rows, function: Path) -> None:
    drops = _generate(connection, _DROPS, [function])
    try:
        with connection.transaction():
            connection.execute(function.read_bytes())
            # Other parameter types make a second function of the same name.
            is_replaced = len(_generate(connection, _DROPS, [function])) == 1
    except InvalidFunctionDefinition:
        # CREATE OR REPLACE refuses another result and other parameter names.
        is_replaced = False
    if not is_replaced:
        _run_generated(connection, drops)
        connection.execute(function.read_bytes())


def _generate(connection: Rows, query: str, functions: Sequence[Path]) -> list[bytes]:
    """Statements about these functions, written and quoted by the server."""
    found = connection.execute(query.encode(), {"names": _names(functions)}).fetchall()
    return [statement.encode() for (statement,) in found]


def _run_generated(connection: Rows, statements: Iterable[bytes]) -> None:
    for statement in statements:
        connection.execute(statement)


def _names(functions: Sequence[Path]) -> list[str]:
    return [function.stem for function in functions]
