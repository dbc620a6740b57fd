"""The table of `just postgres-versions`: what pytest reported, and no success where nothing ran."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres_versions.__main__ import main
from tests.postgres_versions.results import Results, read_results, table

TESTS = """
import pytest

@pytest.fixture
def broken():
    raise ValueError

def test_passes(): pass
def test_passes_as_well(): pass
def test_fails(): assert False
def test_has_an_error(broken): pass
@pytest.mark.skip
def test_is_skipped(): pass
"""


def test_every_test_is_counted_once(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]")
    (tmp_path / "test_some.py").write_text(TESTS)
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}"]
    ended = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True).returncode
    found = read_results("14", report, ended=ended)
    assert found == Results(version="14", passed=2, failed=2, skipped=1, ended=1)
    assert not found.is_good


def test_a_version_on_which_nothing_ran_has_failed(tmp_path: Path) -> None:
    found = read_results("14", tmp_path / "none.xml", ended=4)
    assert not found.is_good
    assert not Results(version="15", skipped=3, ended=0).is_good


def test_the_table_says_which_version_failed() -> None:
    good = Results(version="17", passed=7, skipped=1, ended=0)
    lines = table([good, Results(version="18", passed=6, failed=1, ended=1)]).splitlines()
    assert [line.split()[:4] for line in lines[1:]] == [
        ["17", "7", "0", "1"],
        ["18", "6", "1", "0"],
    ]
    assert ["FAILED" in line for line in lines] == [False, False, True]


def test_an_unsupported_version_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["13", "14"]) == 2
    assert "not supported: 13" in capsys.readouterr().err
