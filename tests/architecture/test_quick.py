"""`just quick` runs what needs no server, and nothing else."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def collected(*paths: str) -> set[str]:
    """The files with tests that a quick run of these paths would run."""
    command = [sys.executable, "-m", "pytest", "-p", "tests.quick", "--collect-only", "--quiet"]
    done = subprocess.run(
        [*command, *paths], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    return {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}


def test_a_quick_run_leaves_out_every_test_that_needs_a_server() -> None:
    found = collected("tests/domain", "tests/faults", "tests/acceptance", "tests/api/stack")
    assert "tests/domain/test_post.py" in found
    assert "tests/domain/event_store/test_publishing.py" not in found
    assert {path for path in found if not path.startswith("tests/domain")} == set()
