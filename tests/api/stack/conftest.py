"""Folders and a running stack for the tests of the local stack."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.stack.running import RunningStack, run_stack
from tests.servers import temporary_stack_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """A path for a stack's folder, with all of it gone at the end."""
    with temporary_stack_folder() as path:
        yield path


@pytest.fixture(scope="module")
def running() -> Iterator[RunningStack]:
    """A whole stack with fake services, shared by the tests of a module."""
    with temporary_stack_folder() as path, run_stack(path) as stack:
        yield stack
