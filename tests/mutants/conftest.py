"""The table at the end of a run of mutants."""

from collections import Counter
from typing import Final

import pytest

_OUTCOMES: Final = {"passed": "killed", "failed": "survived", "xfailed": "equivalent"}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many mutants of each package were killed."""
    counts = Counter[tuple[str, str]]()
    for outcome in _OUTCOMES:
        for report in terminalreporter.stats.get(outcome, []):
            package = dict(report.user_properties).get("package")
            if package is not None:
                counts[str(package), outcome] += 1
    for package in sorted({package for package, _ in counts}):
        figures = [f"{counts[package, key]:4} {name}" for key, name in _OUTCOMES.items()]
        terminalreporter.write_line(f"{package:12}{' '.join(figures)}")
