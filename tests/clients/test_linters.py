"""Redocly and Spectral find nothing in the OpenAPI document: 0 errors, 0 warnings."""

import os
import subprocess
from pathlib import Path

import pytest

import api.http.openapi

LINT_WITHIN_SECONDS = 120


def lint(*command: str | Path, folder: Path) -> str:
    """What a linter prints; it must find nothing."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        capture_output=True,
        text=True,
        timeout=LINT_WITHIN_SECONDS,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


def test_redocly_finds_no_error_and_no_warning(tools: Path, openapi_json: Path) -> None:
    command = (tools / "redocly", "lint", "--extends=recommended", "--format=json")
    output = lint(*command, openapi_json.name, folder=openapi_json.parent)

    assert '"errors": 0' in output
    assert '"warnings": 0' in output


def test_spectral_finds_no_error_and_no_warning(tools: Path, openapi_json: Path) -> None:
    rules = openapi_json.parent / "spectral.yaml"
    rules.write_text('extends: ["spectral:oas"]\n')

    command = (tools / "spectral", "lint", "--fail-severity=hint", "--ruleset", rules)
    output = lint(*command, openapi_json, folder=openapi_json.parent)

    assert "No results" in output


@pytest.mark.parametrize("name", ["swagger-ui-bundle.js", "swagger-ui.css", "LICENSE", "NOTICE"])
def test_the_bundled_swagger_ui_is_that_of_the_pinned_package(tools: Path, name: str) -> None:
    published = tools.parent / "swagger-ui-dist" / name
    bundled = Path(str(api.http.openapi.__file__)).parent / "swagger-ui" / name

    assert bundled.read_bytes() == published.read_bytes()
