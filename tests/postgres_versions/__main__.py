"""Run the same tests on several versions of PostgreSQL, one after the other, and print a table.

    python -m tests.postgres_versions [VERSION …] [PYTEST'S OPTIONS AND PATHS …]

Without versions, it takes all that are supported; without paths, all tests of SQL.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.postgres_versions.installed import VERSIONS, NotInstallable, environ_of
from tests.postgres_versions.results import Results, read_results, table

ROOT: Final = Path(__file__).parents[2]
# Everything that has SQL, and one photo on its whole way.
PATHS: Final = (
    "tests/api/stack/test_postgres_programs.py",
    "tests/domain",
    "tests/projections",
    "tests/transcoder/queue",
    "tests/transcoder/duties",
    "tests/acceptance/test_publishing.py",
)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 if on every version tests ran and none failed."""
    versions = [word for word in arguments if word.isdecimal()]
    if unknown := set(versions).difference(VERSIONS):
        sys.stderr.write(f"not supported: {', '.join(unknown)}; choose of {', '.join(VERSIONS)}\n")
        return 2
    rest = [word for word in arguments if not word.isdecimal()]
    paths = () if any(not word.startswith("-") for word in rest) else PATHS
    try:
        results = [_run(version, [*rest, *paths]) for version in versions or VERSIONS]
    except NotInstallable as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    sys.stdout.write(f"\n{table(results)}\n")
    return 0 if all(each.is_good for each in results) else 1


def _run(version: str, arguments: Sequence[str]) -> Results:
    environ = environ_of(version)
    sys.stdout.write(f"\nPostgreSQL {version}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
        ended = subprocess.run(command, check=False, cwd=ROOT, env=environ)
        return read_results(version, report, ended=ended.returncode)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
