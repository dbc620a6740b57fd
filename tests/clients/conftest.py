"""The tools, as `package-lock.json` pins them, and the document that they read."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from tests.api.http.openapi_document import document

HERE = Path(__file__).parent
INSTALL_WITHIN_SECONDS = 300


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder of the installed commands; without npm, its tests are skipped with this reason."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: the OpenAPI linters and JavaScript clients did not run")
    modules = HERE / "node_modules"
    # One of the processes that run the tests installs, the others wait for it.
    with FileLock(HERE / ".npm.lock"):
        if not _is_up_to_date(modules):
            _install(npm)
    return modules / ".bin"


def _is_up_to_date(modules: Path) -> bool:
    installed = modules / ".package-lock.json"
    lock = HERE / "package-lock.json"
    return installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime


def _install(npm: str) -> None:
    # Packages' own scripts do not run: none is needed, and one of them reports who installs it.
    quiet = ("--silent", "--no-audit", "--no-fund")
    subprocess.run(
        [npm, "ci", "--ignore-scripts", *quiet, "--prefix", str(HERE)],
        check=True,
        timeout=INSTALL_WITHIN_SECONDS,
    )
    (HERE / "node_modules" / ".package-lock.json").touch()


@pytest.fixture(scope="session")
def openapi_json(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document in a file."""
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    path.write_text(json.dumps(document()))
    return path
