"""Migrations: the database comes to this version once, however many processes migrate it."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from procrastinate.schema import SchemaManager
from psycopg.errors import UndefinedFunction, UndefinedTable

from api.migrate import FOLDERS, migrate
from projections.migrate import MIGRATIONS_FOLDER, Applied, apply_migrations
from projections.sql_functions import find_functions

NOTHING = Applied(migrations=[], functions=[], granted=[])
FUNCTIONS = """
SELECT proname, prosrc FROM pg_proc WHERE proname LIKE 'procrastinate%' ORDER BY 1, 2
"""
COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
WHERE table_name LIKE 'procrastinate%' ORDER BY 1, 2
"""
# What the queue library renames from release to release.
PRIVATE = re.compile(r"procrastinate_\w+_v\d+")
WRAPPERS = ("cancel_job", "enqueue_job", "requeue_job")


def ask(url: str, query: Any) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def run(url: str, statement: Any) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement)


def texts_of(wrappers: Sequence[str]) -> dict[str, str]:
    files = find_functions(FOLDERS)
    return {file.stem: file.read_text() for file in files if file.stem in wrappers}


def write_function(
    folder: Path, *, body: str, result: str = "integer", parameters: str = ""
) -> list[Path]:
    """One function file, as a release might bring it."""
    file = folder / "nova_answer.sql"
    file.write_text(
        f"CREATE OR REPLACE FUNCTION nova_answer({parameters}) RETURNS {result}"
        f" LANGUAGE sql AS $$ {body} $$;"
    )
    return [file]


def test_migrating_a_migrated_database_does_nothing(database_url: str) -> None:
    assert migrate(database_url) == NOTHING


def test_of_many_who_migrate_at_once_one_does_it(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(migrate, [empty_database_url] * 4))
    assert sorted(len(each.migrations) for each in applied)[:3] == [0, 0, 0]
    assert sorted(len(each.functions) for each in applied)[:3] == [0, 0, 0]
    assert migrate(empty_database_url) == NOTHING


def test_the_queue_has_the_schema_that_its_library_wants(
    database_url: str, empty_database_url: str
) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(SchemaManager.get_schema())
    assert ask(database_url, COLUMNS) == ask(empty_database_url, COLUMNS)
    names = [name for name, _ in ask(empty_database_url, FUNCTIONS)]
    assert [name for name, _ in ask(database_url, FUNCTIONS)] == names


def test_each_file_leaves_one_function_of_its_name_and_migrations_leave_none(
    database_url: str,
) -> None:
    files = find_functions(FOLDERS)
    found = ask(
        database_url,
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        " AND proname NOT LIKE 'procrastinate%'",
    )
    assert sorted(name for (name,) in found) == sorted(file.stem for file in files)
    for migration in MIGRATIONS_FOLDER.glob("*.sql"):
        assert "CREATE FUNCTION" not in migration.read_text()


def test_only_the_wrappers_name_private_functions_of_the_queue_library() -> None:
    sources = [file for folder in FOLDERS for file in folder.rglob("*") if file.is_file()]
    naming = {
        file.stem
        for file in sources
        if file.suffix in {".py", ".sql"} and PRIVATE.search(file.read_text())
    }
    assert naming == set(WRAPPERS)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_migrating_fails_and_names_what_the_queue_library_has_dropped(
    database_url: str, wrapper: str
) -> None:
    names = set(PRIVATE.findall(texts_of(WRAPPERS)[wrapper]))
    functions = {name for name in names if "to_defer" not in name}
    (dropped,) = functions
    run(database_url, f"DROP FUNCTION {dropped}".encode())
    with pytest.raises(UndefinedFunction, match=dropped):
        migrate(database_url)


def test_a_function_whose_text_changed_is_replaced_and_named(
    database_url: str, tmp_path: Path
) -> None:
    functions = write_function(tmp_path, body="SELECT 41")
    assert apply_migrations(database_url, functions).functions == ["nova_answer"]
    assert apply_migrations(database_url, functions) == NOTHING
    write_function(tmp_path, body="SELECT 42")
    assert apply_migrations(database_url, functions).functions == ["nova_answer"]
    assert ask(database_url, "SELECT nova_answer()") == [(42,)]


@pytest.mark.parametrize(
    ("signature", "call"),
    [
        ({"result": "text", "body": "SELECT 'now text'"}, "nova_answer(1)"),
        ({"parameters": "other integer", "body": "SELECT other"}, "nova_answer(other => 1)"),
        ({"parameters": "number text", "body": "SELECT 1"}, "nova_answer('1')"),
        ({"parameters": "number integer, more integer DEFAULT 1", "body": "SELECT more"}, None),
    ],
    ids=["result", "parameter name", "parameter type", "number of parameters"],
)
def test_a_function_whose_signature_changed_takes_the_place_of_the_earlier_one(
    database_url: str, tmp_path: Path, signature: dict[str, str], call: str | None
) -> None:
    earlier = {"parameters": "number integer", "body": "SELECT number"}
    functions = write_function(tmp_path, **earlier)
    apply_migrations(database_url, functions)
    write_function(tmp_path, **{**earlier, **signature})
    assert apply_migrations(database_url, functions).functions == ["nova_answer"]
    ask(database_url, f"SELECT {call or 'nova_answer(1)'}".encode())
    assert len(ask(database_url, "SELECT FROM pg_proc WHERE proname = 'nova_answer'")) == 1
    assert apply_migrations(database_url, functions) == NOTHING


def test_one_wrong_function_leaves_all_as_they_were(database_url: str, tmp_path: Path) -> None:
    functions = write_function(tmp_path, body="SELECT 41")
    apply_migrations(database_url, functions)
    write_function(tmp_path, body="SELECT 42")
    wrong = tmp_path / "nova_wrong.sql"
    wrong.write_text(
        "CREATE OR REPLACE FUNCTION nova_wrong() RETURNS bigint LANGUAGE sql AS"
        " $$ SELECT count(*) FROM no_such_table $$;"
    )
    with pytest.raises(UndefinedTable, match="no_such_table"):
        apply_migrations(database_url, [*functions, wrong])
    assert ask(database_url, "SELECT nova_answer()") == [(41,)]
