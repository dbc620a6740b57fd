"""What became of the tests on one version of PostgreSQL, and the table of all versions."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from msgspec import Struct


class Results(Struct, frozen=True, kw_only=True):
    """Numbers of tests; an error in a fixture counts as failed. `ended` is pytest's exit code."""

    version: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    ended: int

    @property
    def is_good(self) -> bool:
        """Whether tests ran, and none failed."""
        return self.ended == 0 and self.passed > 0 and self.failed == 0


def read_results(version: str, report: Path, *, ended: int) -> Results:
    """Read pytest's report in JUnit's format; without one, nothing ran."""
    if not report.exists():
        return Results(version=version, ended=ended)
    suite = ET.parse(report).getroot().find("testsuite")  # noqa: S314 - pytest wrote it
    assert suite is not None
    tests, skipped, *failures = (
        int(suite.attrib[name]) for name in ("tests", "skipped", "failures", "errors")
    )
    failed = sum(failures)
    return Results(
        version=version,
        passed=tests - skipped - failed,
        failed=failed,
        skipped=skipped,
        ended=ended,
    )


def table(results: Sequence[Results]) -> str:
    """One line for each version."""
    lines = [f"{'PostgreSQL':10} {'passed':>8} {'failed':>8} {'skipped':>8}"]
    for each in results:
        note = "" if each.is_good else f"  FAILED (pytest ended with {each.ended})"
        lines.append(f"{each.version:10} {each.passed:>8} {each.failed:>8} {each.skipped:>8}{note}")
    return "\n".join(lines)
