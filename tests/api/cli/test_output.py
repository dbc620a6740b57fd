"""Output: ids are never cut, pipes get plain lines, and NO_COLOR is respected."""

import json
import subprocess
import sys

import pytest

from api.cli.output import quantity
from tests.api.cli.terminal import python, run_in_terminal, run_piped

POST = "5f3759df-0000-4000-8000-000000000001"
TABLE = f"""
from api.cli.output import print_table
print_table(("post", "state", "failure"), [("{POST}", "failed", "照片.jpg"), ("b", "ok", "")])
"""
# More than a pipe holds.
MANY_LINES = """
import typer
from api.cli.errors import friendly_errors
from api.cli.output import print_json, print_table

@friendly_errors()
def verb():
    for number in range(100_000):
        {statement}

typer.run(verb)
"""
ESCAPE = "\x1b"


def test_a_table_that_fits_has_one_line_per_row() -> None:
    shown = run_in_terminal(*python(TABLE), columns=80, NO_COLOR="1").splitlines()
    assert shown == [
        f"{'post':36}  state   failure",
        f"{POST}  failed  照片.jpg",
        f"{'b':36}  ok",
    ]


@pytest.mark.parametrize("columns", [20, 40])
def test_a_table_that_does_not_fit_has_one_line_per_cell_and_cuts_nothing(columns: int) -> None:
    shown = run_in_terminal(*python(TABLE), columns=columns, NO_COLOR="1")
    assert shown.splitlines() == [
        f"post     {POST}",
        "state    failed",
        "failure  照片.jpg",
        "",
        "post     b",
        "state    ok",
        "",
    ]


def test_a_pipe_gets_plain_lines_of_any_length_without_trailing_blanks() -> None:
    shown = run_piped(*python(TABLE), COLUMNS="20")
    assert shown.stdout.splitlines()[1:] == [f"{POST}  failed  照片.jpg", f"{'b':36}  ok"]
    assert ESCAPE not in shown.stdout


def test_a_terminal_gets_bold_unless_no_color_is_set() -> None:
    assert ESCAPE in run_in_terminal(*python(TABLE), columns=80)
    assert ESCAPE not in run_in_terminal(*python(TABLE), columns=80, NO_COLOR="1")


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("words", [["--help"], ["audit", "verify", "--help"], ["nothing"]])
def test_help_and_usage_errors_fit_narrow_terminals_without_escapes(
    columns: int, words: list[str]
) -> None:
    shown = run_in_terminal(sys.executable, "-m", "api", *words, columns=columns)
    assert ESCAPE not in shown
    too_long = [line for line in shown.splitlines() if len(line) > columns]
    assert not too_long


@pytest.mark.parametrize(
    "statement", ["print_json(number)", "print_table(['number'], [[str(number)]])"]
)
def test_a_reader_that_has_seen_enough_ends_a_command_quietly(statement: str) -> None:
    script = MANY_LINES.format(statement=statement)
    done = subprocess.run(
        ["/bin/bash", "-c", '"$0" "$@" | head -n 1; exit ${PIPESTATUS[0]}', *python(script)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert len(done.stdout.splitlines()) == 1
    assert (done.returncode, done.stderr) == (0, "")


def test_json_is_one_value_per_line() -> None:
    script = "from api.cli.output import print_json; print_json({'ü': 1}); print_json([2])"
    shown = run_piped(*python(script), PYTHONIOENCODING="ascii")
    assert [json.loads(line) for line in shown.stdout.splitlines()] == [{"ü": 1}, [2]]


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 posts"), (1, "1 post"), (1200, "1,200 posts")]
)
def test_a_quantity_agrees_with_its_noun(number: int, shown: str) -> None:
    assert quantity(number, "post") == shown
