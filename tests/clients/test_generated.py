"""Clients generated from the OpenAPI document publish a photo on the real stack."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from api.http.authentication.tokens import create_token
from api.http.authentication.users import User
from api.stack.local import LocalStack
from tests.acceptance.stacks import run_local_stack

HERE: Final = Path(__file__).parent
WITHIN_SECONDS: Final = 180
PUBLISHED: Final = "published medium original thumbnail\n"
# The strict compiler is the first reader of what is generated.
TSC: Final = (
    *("--strict", "--skipLibCheck"),
    *("--target", "es2022"),
    *("--lib", "es2023,dom,dom.iterable"),
    *("--module", "commonjs"),
    *("--moduleResolution", "node10"),
)
# Run in a separate environment: it needs an older typer than ours.
PYTHON_GENERATOR: Final = "openapi-python-client==0.29.1"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with run_local_stack() as stack:
        yield stack


@pytest.fixture
def arguments(stack: LocalStack, jpeg: bytes, tmp_path: Path) -> list[str]:
    """What every client is called with: the URL, a token, the path of a photo."""
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg)
    token = create_token(stack.environ["JWT_SECRET"], User(id=uuid4(), role="user"))
    return [stack.url, token, str(photo)]


@pytest.fixture
def folder(tools: Path, openapi_json: Path, tmp_path: Path) -> Path:
    """A folder with the sources of the JavaScript clients, the document and the packages."""
    folder = tmp_path / "javascript"
    folder.mkdir()
    for source in (openapi_json, *HERE.glob("*.ts"), HERE / "openapi-ts.config.mjs"):
        shutil.copy(source, folder)
    (folder / "node_modules").symlink_to(tools.parent)
    (folder / "package.json").write_text('{"type": "commonjs"}')
    return folder


def run(*command: str | Path, folder: Path, **environ: str) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=WITHIN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_openapi_python_client_publishes_a_photo(
    openapi_json: Path, tmp_path: Path, arguments: list[str]
) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed: openapi-python-client did not run")
    output = tmp_path / "python"
    generate: tuple[str | Path, ...] = (
        uv,
        "tool",
        "run",
        "--from",
        PYTHON_GENERATOR,
        "openapi-python-client",
        "generate",
    )

    run(*generate, "--path", openapi_json, "--output-path", output, folder=tmp_path)

    publish: tuple[str | Path, ...] = (sys.executable, HERE / "publish_python.py", *arguments)
    assert run(*publish, folder=tmp_path, PYTHONPATH=str(output)) == PUBLISHED


def test_hey_api_with_zod_publishes_a_photo(
    tools: Path, folder: Path, arguments: list[str]
) -> None:
    run(tools / "openapi-ts", "-f", "openapi-ts.config.mjs", folder=folder)
    run(tools / "tsc", *TSC, "--outDir", "out", "publish_hey_api.ts", folder=folder)

    assert run("node", "out/publish_hey_api.js", *arguments, folder=folder) == PUBLISHED


def test_openapi_typescript_publishes_a_photo(
    tools: Path, folder: Path, arguments: list[str]
) -> None:
    types = "openapi-typescript.d.ts"
    run(tools / "openapi-typescript", "openapi.json", "--output", types, folder=folder)
    run(tools / "tsc", *TSC, "--outDir", "out", "publish_openapi_fetch.ts", folder=folder)

    assert run("node", "out/publish_openapi_fetch.js", *arguments, folder=folder) == PUBLISHED
