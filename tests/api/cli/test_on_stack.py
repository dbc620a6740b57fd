"""Commands find the stack that runs on this machine, and never mix two."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import jwt
import pytest
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.cli.on_stack import use_stack
from api.stack.credentials import load_credentials
from api.stack.folder import locked_folder
from api.stack.running import shared_environ
from domain.settings import WrongSettings
from projections.settings import database_settings
from tests.api.cli.verbs import VERBS

UNREACHABLE = "postgresql://nova:it's@127.0.0.1:9/nova"
STACK = {"DATABASE_URL": UNREACHABLE, "S3_BUCKET_NAME": "photos", "JWT_SECRET": "s" * 32}
UNSET = ("DATABASE_URL", "S3_BUCKET_NAME", "S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "JWT_SECRET")


@pytest.fixture(autouse=True)
def nothing_set(kept_environ: None) -> None:  # noqa: ARG001 - undoes this
    """An environment that names no database and no bucket."""
    for name in UNSET:
        os.environ.pop(name, None)


@contextmanager
def running(folder: Path, environ: Mapping[str, str] | None = None) -> Iterator[None]:
    """A stack that runs in the folder, as far as other processes can see."""
    with locked_folder(folder) as locked, shared_environ(locked, environ or STACK):
        yield


def nova(*words: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, words)


def test_the_stack_of_a_folder_above_is_found(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nowhere / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(nowhere / "a" / "b")
    with running(nowhere / ".nova"):
        use_stack(None)
    used = conninfo_to_dict(database_settings().url)
    assert used.items() >= conninfo_to_dict(UNREACHABLE).items()


def test_the_stack_of_a_named_folder_is_used(tmp_path: Path, nowhere: Path) -> None:
    with running(tmp_path / "other"), running(nowhere / ".nova", {"DATABASE_URL": "found"}):
        shown = nova("audit", "stats", "--data", str(tmp_path / "other"))
    assert shown.exit_code == 1
    assert shown.stderr.startswith("nova: database unavailable")
    assert os.environ["DATABASE_URL"] == UNREACHABLE


@pytest.mark.parametrize("name", ["DATABASE_URL", "S3_BUCKET_NAME", "AWS_ACCESS_KEY_ID"])
def test_a_stack_is_left_alone_where_the_environment_names_another_place(
    name: str, nowhere: Path
) -> None:
    os.environ[name] = "production"
    with running(nowhere / ".nova"):
        use_stack(None)
        assert {each: os.environ[each] for each in UNSET if each in os.environ} == {
            name: "production"
        }
        with pytest.raises(WrongSettings, match=f"{name} of the environment differs"):
            use_stack(nowhere / ".nova")


def test_other_settings_of_the_environment_stay(nowhere: Path) -> None:
    os.environ |= {"JWT_SECRET": "mine", "DATABASE_URL": UNREACHABLE, "S3_BUCKET_NAME": " "}
    with running(nowhere / ".nova"):
        use_stack(None)
    assert (os.environ["JWT_SECRET"], os.environ["S3_BUCKET_NAME"]) == ("mine", "photos")


def test_a_folder_in_which_no_stack_runs_is_refused_when_named(
    tmp_path: Path, nowhere: Path
) -> None:
    with running(nowhere / ".nova"):
        pass
    shown = nova("jobs", "list")
    assert (shown.exit_code, shown.stderr.splitlines()) == (
        2,
        [
            f"No stack is running in {nowhere / '.nova'}.",
            "nova: DATABASE_URL is not set (see .env.example)",
        ],
    )
    shown = nova("jobs", "list", "--data", str(tmp_path / "none"))
    assert shown.exit_code == 1
    assert f"No stack is running in {tmp_path / 'none'}." in shown.stderr
    assert not (tmp_path / "none").exists()


def test_a_stack_that_was_found_is_named_and_one_that_was_named_is_not(nowhere: Path) -> None:
    using = f"Using the stack in {nowhere / '.nova'}\n"
    with running(nowhere / ".nova"):
        assert nova("env").stderr == using
        assert nova("env", "--data", ".nova").stderr == ""
        assert nova("jobs", "list").stderr.startswith(f"{using}nova: database unavailable")


def test_a_stack_is_not_named_where_everything_is_set_already(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ |= STACK
    with running(nowhere / ".nova"):
        use_stack(None)
    assert capsys.readouterr().err == ""


def test_only_the_owner_can_read_how_to_reach_a_stack(nowhere: Path) -> None:
    with running(nowhere / ".nova"):
        mode = (nowhere / ".nova" / "environment.json").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600


def test_env_prints_what_a_shell_can_evaluate(nowhere: Path) -> None:
    with running(nowhere / ".nova", {**STACK, "HOME": "/root"}):
        shown = nova("env")
    assert shown.stdout.splitlines() == [
        "export DATABASE_URL='postgresql://nova:it'\"'\"'s@127.0.0.1:9/nova'",
        "export S3_BUCKET_NAME=photos",
        f"export JWT_SECRET={'s' * 32}",
    ]
    assert nova("env").exit_code == 1


def test_every_verb_that_reads_the_database_takes_a_stack() -> None:
    without = {
        " ".join(words)
        for words, verb in VERBS.items()
        if not any("--data" in parameter.opts for parameter in verb.load().params)
    }
    assert without == {"render", "api", "worker", "projector", "audit check"}


def test_a_token_needs_a_stack_and_makes_none(tmp_path: Path) -> None:
    shown = nova("token", "--data", str(tmp_path / "none"))
    assert shown.exit_code == 1
    assert f"There is no stack in {tmp_path / 'none'}." in shown.stderr
    assert not (tmp_path / "none").exists()


def test_a_token_without_a_user_is_for_a_new_one_who_is_named(nowhere: Path) -> None:
    with locked_folder(nowhere / ".nova") as folder:
        secret = load_credentials(folder.credentials).jwt_secret
    shown = nova("token")
    claims = jwt.decode(shown.stdout.strip(), secret, algorithms=["HS256"])
    assert shown.stderr.splitlines()[-1] == f"User {UUID(claims['sub'])}"


@pytest.mark.parametrize("is_named", [True, False])
def test_a_folder_that_is_named_wins_over_the_secret_of_the_environment(
    nowhere: Path, *, is_named: bool
) -> None:
    with locked_folder(nowhere / ".nova") as folder:
        own = load_credentials(folder.credentials).jwt_secret
    os.environ["JWT_SECRET"] = given = "g" * 32
    shown = nova("token", *(["--data", ".nova"] if is_named else []))
    expected = own if is_named else given
    assert jwt.decode(shown.stdout.strip(), expected, algorithms=["HS256"])
