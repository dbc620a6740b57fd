"""The running stack: which folder commands trust, and what they take from it."""

import os
from pathlib import Path

import msgspec
import pytest

from api.stack.folder import StackFolder
from api.stack.running import FOLDER_NAME, find_folder, running_environ


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
    folder = StackFolder(tmp_path)
    folder.lock.write_text(str(os.getpid()))
    planted = {"DATABASE_URL": "postgresql://there", "LD_PRELOAD": "x.so", "A=1; touch y; B": ""}
    folder.environment.write_bytes(msgspec.json.encode(planted))
    assert running_environ(tmp_path) == {"DATABASE_URL": "postgresql://there"}
