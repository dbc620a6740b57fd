"""Progress: a bar on a terminal, lines elsewhere, JSON lines for machines, on standard error."""

import json

import pytest

from api.cli import progress
from api.cli.progress import show_progress
from tests.api.cli.terminal import python, run_in_terminal, run_piped

WORK = """
from api.cli.progress import show_progress
with show_progress("verifying", unit="events") as progress:
    for done in range(100):
        progress.update(done, 100)
print("OK")
"""


def test_a_terminal_shows_a_bar_that_is_gone_at_the_end() -> None:
    shown = run_in_terminal(*python(WORK), columns=80)
    assert "verifying" in shown
    # The bar's line is erased before the result is printed.
    assert "\x1b[2K" in shown
    assert shown.endswith("OK\n")


def test_a_pipe_shows_no_bar_and_nothing_of_quick_work() -> None:
    shown = run_piped(*python(WORK))
    assert (shown.stdout, shown.stderr) == ("OK\n", "")


def test_long_work_is_shown_in_lines_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0)
    with show_progress("retrying", unit="posts") as reporter:
        reporter.update(1_000, 2_000, note=" (5 queued)")
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err[9:] == "retrying 1,000 of 2,000 posts (5 queued)\n"


def test_each_phase_is_shown_at_once_and_as_json_for_machines(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with show_progress("start", unit="events", as_json=True) as reporter:
        reporter.start("build", 0, 7)
        reporter.update(3, 7)
        reporter.start("swap")
    shown = capfd.readouterr()
    assert shown.out == ""
    assert list(map(json.loads, shown.err.splitlines())) == [
        {"phase": "build", "completed": 0, "total": 7},
        {"phase": "swap", "completed": 0, "total": None},
    ]
