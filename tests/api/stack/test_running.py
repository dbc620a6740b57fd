"""The running stack: which folder commands trust, and what they take from it."""

import os
from pathlib import Path

import msgspec
import pytest

from api.stack.credentials import load_credentials
from api.stack.errors import StackNotRunning
from api.stack.folder import locked_folder
from api.stack.running import (
    FOLDER_NAME,
    find_folder,
    running_environ,
    shared_environ,
    token_environ,
)


def test_the_nearest_folder_above_is_found(tmp_path: Path) -> None:
    (tmp_path / FOLDER_NAME).mkdir()
    inner = tmp_path / "one" / "two"
    inner.mkdir(parents=True)
    assert find_folder(inner) == tmp_path / FOLDER_NAME


def test_a_folder_of_another_user_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FOLDER_NAME).mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert find_folder(tmp_path) != tmp_path / FOLDER_NAME


def test_a_folder_sets_only_what_says_where_the_stack_is(tmp_path: Path) -> None:
    planted = {"DATABASE_URL": "postgresql://there", "LD_PRELOAD": "x.so", "A=1; touch y; B": ""}
    with locked_folder(tmp_path) as folder:
        folder.environment.write_bytes(msgspec.json.encode(planted))
        assert running_environ(tmp_path) == {"DATABASE_URL": "postgresql://there"}


def test_a_stack_that_was_killed_does_not_run_even_when_its_process_id_lives_again(
    tmp_path: Path,
) -> None:
    with locked_folder(tmp_path) as folder, shared_environ(folder, {"DATABASE_URL": "there"}):
        left = folder.environment.read_bytes()
    folder.environment.write_bytes(left)
    folder.lock.write_text(f"{os.getpid()}\n")
    with pytest.raises(StackNotRunning):
        running_environ(tmp_path)


def test_a_stack_that_starts_is_not_found_by_what_a_killed_one_left(tmp_path: Path) -> None:
    (tmp_path / "environment.json").write_text('{"DATABASE_URL": "old"}')
    with locked_folder(tmp_path), pytest.raises(StackNotRunning):
        running_environ(tmp_path)


def test_tokens_are_signed_as_the_running_stack_expects(tmp_path: Path) -> None:
    with locked_folder(tmp_path) as folder:
        own = load_credentials(folder.credentials).jwt_secret
        given = {"JWT_SECRET": "given in its environment", "JWT_ISSUER": "https://idp.example"}
        with shared_environ(folder, {**given, "DATABASE_URL": "there"}):
            assert token_environ(tmp_path) == given
    assert token_environ(tmp_path) == {"JWT_SECRET": own}
