"""Migrations: bring a database to this version, the job queue's tables and ours, in order.

yoyo applies and records them; the queue library's own migrations are read from its package, so
that its new releases bring their changes along. SQL functions are no migrations: each has one file,
which replaces the function in the database whenever it differs. An advisory lock lets any number
of processes start at once: one migrates, the others wait and find nothing to do.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import psycopg
from msgspec import Struct
from procrastinate.schema import SchemaManager
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import LockNotAvailable
from yoyo import default_migration_table, read_migrations
from yoyo.backends import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI

from projections.connection import LIFT_TIME_LIMITS
from projections.grants import grant, granted_roles
from projections.position_sequence import Mended, mend_sequence
from projections.server_settings import UnfitDatabase, describe_lock_timeout, settle
from projections.sql_functions import create_missing, read_definitions, replace_all

MIGRATIONS_FOLDER: Final = Path(__file__).parent / "migrations"
# Any constant will do, as long as it stays the same.
ADVISORY_LOCK: Final = 6_682_001
_SEARCH_PATH: Final = """
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', false)
"""


class Applied(Struct, frozen=True, kw_only=True):
    """What changed: names of migrations in their order, and of functions that are new or differ.

    `granted` names the roles besides the owner that may run the services; `mended` is what was
    done to the sequence of positions.
    """

    migrations: list[str]
    functions: list[str]
    granted: list[str]
    mended: Mended | None = None


def apply_migrations(url: str, functions: Sequence[Path], *, roles: Sequence[str] = ()) -> Applied:
    """Apply every migration that the database lacks, and bring it to these function files.

    Grants what the services need to `roles`, and to those that had it before.

    Raises:
        UnfitDatabase: its encoding or another setting is wrong and cannot be set, or a lock was
            not free within the role's `lock_timeout`.
        GrantError: one of the roles does not exist, or nothing can be withheld from it.
        psycopg.Error: the database cannot be reached or refused a statement. Migrations before the
            failing one stay applied, the failing one left no trace; functions are replaced all
            or none.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        try:
            return _migrate(connection, url, functions, roles)
        except LockNotAvailable as error:
            raise UnfitDatabase(describe_lock_timeout(connection)) from error


def _migrate(
    connection: psycopg.Connection[Any], url: str, functions: Sequence[Path], roles: Sequence[str]
) -> Applied:
    connection.execute(LIFT_TIME_LIMITS)
    connection.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
    settle(connection)
    # The path that the functions of the log's owner keep.
    connection.execute(_SEARCH_PATH)
    granted = {*granted_roles(connection), *roles}
    before = read_definitions(connection, functions)
    create_missing(connection, functions)
    migrations = _apply_migrations(url)
    replace_all(connection, functions)
    mended = mend_sequence(connection)
    for role in sorted(granted):
        grant(connection, role)
    after = read_definitions(connection, functions)
    changed = [name for name, text in sorted(after.items()) if before.get(name) != text]
    return Applied(migrations=migrations, functions=changed, granted=sorted(granted), mended=mended)


def _apply_migrations(url: str) -> list[str]:
    backend = _backend(url)
    try:
        missing = backend.to_apply(_migrations())
        backend.apply_migrations(missing)
        return [migration.id for migration in missing]
    finally:
        backend.connection.close()


def _migrations() -> Any:  # noqa: ANN401 - yoyo has no type hints
    queue_folder = SchemaManager.get_migrations_path()
    return read_migrations(queue_folder, str(MIGRATIONS_FOLDER))


def _backend(url: str) -> Any:  # noqa: ANN401 - as above
    # Not get_backend, which reads connection strings in its own way.
    options = conninfo_to_dict(url)
    database = DatabaseURI(
        scheme="postgresql+psycopg",
        username=None,
        password=None,
        hostname=None,
        port=None,
        database=options.pop("dbname", None),
        args=options,
    )
    backend = PostgresqlPsycopgBackend(database, default_migration_table)
    backend.connection.execute(LIFT_TIME_LIMITS)
    backend.init_database()
    return backend
