"""The tools, as `package-lock.json` pins them, and the document that they read."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

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
    installed = modules / ".package-lock.json"
    lock = HERE / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(
            [npm, "ci", "--silent", "--no-audit", "--no-fund", "--prefix", str(HERE)],
            check=True,
            timeout=INSTALL_WITHIN_SECONDS,
        )
        installed.touch()
    return modules / ".bin"


@pytest.fixture(scope="session")
def openapi_json(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document in a file."""
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    path.write_text(json.dumps(document()))
    return path
