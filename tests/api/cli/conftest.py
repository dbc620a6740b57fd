"""Commands in this process start where no stack runs, and leave the environment as it was."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest


@pytest.fixture(autouse=True)
def nowhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, in which no stack is found."""
    path = tmp_path_factory.mktemp("nowhere")
    monkeypatch.chdir(path)
    return path


@pytest.fixture(autouse=True)
def kept_environ() -> Iterator[None]:
    """Undo what a command adds to the environment."""
    with mock.patch.dict(os.environ):
        yield
