"""Migrations: bring a database to this version, the job queue's tables and ours, in order.

yoyo applies and records them; the queue library's own migrations are read from its package, so
that a new release brings its changes along. An advisory lock lets any number of processes start
at once: one migrates, the others wait and find nothing to do.
"""

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from procrastinate.schema import SchemaManager
from yoyo import get_backend, read_migrations

MIGRATIONS_FOLDER: Final = Path(__file__).parent / "migrations"
# Any constant will do, as long as it stays the same.
_ADVISORY_LOCK: Final = 6_682_001


def migrate(url: str) -> list[str]:
    """Apply every migration that the database lacks and return their names, in order.

    Raises:
        psycopg.Error: the database cannot be reached or refused a statement; migrations before
            the failing one stay applied, the failing one left no trace.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
        return _apply(url)


def _apply(url: str) -> list[str]:
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
    parts = urlsplit(url)
    return get_backend(urlunsplit(parts._replace(scheme="postgresql+psycopg")))
