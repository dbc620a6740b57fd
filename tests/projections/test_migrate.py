"""Migrations: the database comes to this version once, whoever and however many ask."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from procrastinate.schema import SchemaManager

from projections.migrate import migrate

FUNCTIONS = """
SELECT proname, prosrc FROM pg_proc WHERE proname LIKE 'procrastinate%' ORDER BY 1, 2
"""
COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
WHERE table_name LIKE 'procrastinate%' ORDER BY 1, 2
"""


def ask(url: str, query: Any) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_migrating_a_migrated_database_does_nothing(
    database_url: str,
) -> None:
    assert migrate(database_url) == []


def test_of_many_who_migrate_at_once_one_does_it(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(migrate, [empty_database_url] * 4))
    assert sorted(map(len, applied))[:3] == [0, 0, 0]
    assert migrate(empty_database_url) == []


def test_the_queue_has_the_schema_that_its_library_wants(
    database_url: str, empty_database_url: str
) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(SchemaManager.get_schema())
    assert ask(database_url, COLUMNS) == ask(empty_database_url, COLUMNS)
    names = [name for name, _ in ask(empty_database_url, FUNCTIONS)]
    assert [name for name, _ in ask(database_url, FUNCTIONS)] == names
