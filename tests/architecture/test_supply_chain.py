"""The bill of materials is valid and complete, and no audit passes that has looked nothing up."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from tests.architecture.licences import wheels

ROOT: Final = Path(__file__).parents[2]
# Beside the interpreter: the wheel of just puts it there.
JUST: Final = Path(sys.executable).parent / "just"

needs_uv = pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")


def just(*words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a recipe to its end."""
    return subprocess.run(
        [JUST, *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **environ},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def sbom(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The bill of materials, as the recipe writes it."""
    file = tmp_path_factory.mktemp("sbom") / "sbom.json"
    done = just("sbom", file)
    assert done.returncode == 0, done.stderr
    return file.read_text()


@needs_uv
def test_the_bill_of_materials_is_valid_cyclonedx(sbom: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(sbom) is None


@needs_uv
def test_the_bill_of_materials_lists_every_wheel_with_its_hashes(sbom: str) -> None:
    components: list[dict[str, Any]] = json.loads(sbom)["components"]
    listed = {(canonicalize_name(each["name"]), each["version"]) for each in components}
    assert {(wheel.name, version(wheel.name)) for wheel in wheels()} <= listed
    assert "pytest" not in {name for name, _ in listed}
    for each in components:
        hashes = [found["hashes"] for found in each.get("externalReferences", ())]
        assert hashes, each["name"]
        assert all(digest["alg"] == "SHA-256" for found in hashes for digest in found)


@needs_uv
def test_an_audit_that_reaches_no_database_fails_and_says_so() -> None:
    nowhere = "http://127.0.0.1:9"
    done = just("audit-dependencies", "--service-url", nowhere, UV_HTTP_RETRIES="0")
    assert done.returncode not in {0, 1}
    assert "Not audited" in done.stderr
