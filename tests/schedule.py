"""A pytest plugin: how many processes run the tests, and in which order they take the files.

Tests of faults mostly wait, for heartbeats and back-off; those of pictures keep a core busy. With
one process more than cores, both go on at the same time. The longest files start first, a busy one
after a waiting one, so that no process is left alone with them at the end.
"""

import os
from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path(__file__).parent
# All that take longer than 20 s, by the times of a whole run.
_LONGEST_FIRST: Final = (
    "transcoder/processes/test_pool.py",
    "faults/test_workers.py",
    "faults/test_kills.py",
    "transcoder/processes/test_largest_pictures.py",
    "faults/test_object_store_faults.py",
    "transcoder/processing/test_fidelity.py",
    "acceptance/test_runbook.py",
    "acceptance/test_commands.py",
    "faults/test_exact_kills.py",
    "faults/test_back_pressure.py",
    "faults/test_failover.py",
    "acceptance/test_reprocess_command.py",
    "acceptance/test_operations.py",
    "acceptance/test_upkeep_commands.py",
    "projections/follow/test_kills.py",
    "faults/test_starting_together.py",
    "acceptance/test_publishing.py",
    "transcoder/processing/test_pipeline.py",
    "acceptance/test_audit_commands.py",
    "acceptance/test_readme.py",
    "acceptance/test_proof_commands.py",
)
_RANK: Final = {_ROOT / name: rank for rank, name in enumerate(_LONGEST_FIRST)}


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the order within a file stays."""
    if missing := [path for path in _RANK if not path.is_file()]:
        raise pytest.UsageError(f"tests/schedule.py lists files that do not exist: {missing}")
    items.sort(key=lambda item: _RANK.get(item.path, len(_RANK)))
