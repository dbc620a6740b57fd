"""Verbs load lazily: help imports none of them, and says of each what its own help says."""

import sys

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from tests.api.cli.terminal import python, run_piped
from tests.api.cli.verbs import VERBS

HEAVY = {"anyio", "cryptography", "httpx", "litestar", "msgspec", "procrastinate", "psycopg"} | {
    "pyvips",
    "rich",
}
# Prints what help imported, after the help.
HELP = """
import sys
from api.cli.main import main

sys.argv = ["nova", *{words}]
try:
    main()
finally:
    print("LOADED", *sys.modules)
"""


@pytest.mark.parametrize(
    "words", [["--help"], ["audit", "--help"], ["jobs", "--help"], ["projections", "--help"], []]
)
def test_help_lists_verbs_without_importing_them(words: list[str]) -> None:
    shown = run_piped(*python(HELP.format(words=words)))
    help_page, _, loaded = (shown.stdout + shown.stderr).partition("LOADED")
    assert "Commands:" in help_page + shown.stderr
    assert not HEAVY & set(loaded.split())


def test_the_api_imports_no_image_library() -> None:
    script = "import sys, api.cli.api; print(*sys.modules)"
    loaded = set(run_piped(*python(script)).stdout.split())
    assert "litestar" in loaded
    assert not {"pyvips", "cv2", "numpy"} & loaded


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_the_list_says_of_a_verb_what_its_own_help_begins_with(words: tuple[str, ...]) -> None:
    listed = VERBS[words].get_short_help_str()
    shown = CliRunner().invoke(app, [*words, "--help"], terminal_width=200)
    assert shown.exit_code == 0, shown.output
    assert listed in " ".join(shown.stdout.split())
    assert "Exit codes" in CliRunner().invoke(app, ["--help"]).stdout


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_help_is_a_sentence_in_the_imperative_without_a_colon(words: tuple[str, ...]) -> None:
    listed = VERBS[words].get_short_help_str()
    assert listed[0].isupper()
    assert listed.endswith(".")
    assert ":" not in listed
    for parameter in VERBS[words].load().params:
        described = getattr(parameter, "help", None) or ""
        assert described.endswith("."), f"{parameter.name}: {described}"
        assert ":" not in described, f"{parameter.name}: {described}"


def test_a_mistyped_verb_is_refused_with_the_one_that_was_meant() -> None:
    shown = CliRunner().invoke(app, ["projections", "rebiuld"])
    assert shown.exit_code == 2
    assert "Did you mean 'rebuild'?" in shown.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_shown_for_each_shell(shell: str) -> None:
    script = run_piped(
        sys.executable,
        "-m",
        "api",
        "--show-completion",
        shell,
        _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1",
    )
    assert script.returncode == 0, script.stderr
    assert "_NOVA_COMPLETE" in script.stdout


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("nova pro", "projections"),
        ("nova audit ver", "verify"),
        ("nova jobs list --state wai", "waiting"),
        ("nova token --ro", "--role"),
    ],
)
def test_verbs_options_and_values_are_completed(typed: str, completed: str) -> None:
    shown = run_piped(
        sys.executable,
        "-m",
        "api",
        _NOVA_COMPLETE="complete_bash",
        COMP_WORDS=typed,
        COMP_CWORD=str(len(typed.split()) - 1),
    )
    assert completed in shown.stdout.split()
