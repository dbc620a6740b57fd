"""`nova` as a process: run to its end with an environment in which nothing of ours is set."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx

NOVA: Final = (sys.executable, "-m", "api")
TIMEOUT_SECONDS: Final = 120


def run_nova(*words: str | Path | UUID, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with these variables set."""
    return subprocess.run(
        [*NOVA, *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        cwd="/",  # where no developer's own stack is found
        env={**bare_environ(), **environ},
    )


def bare_environ() -> dict[str, str]:
    """The environment of a user who has set none of our variables."""
    kept = {"PATH", "HOME", "LANG", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name in kept}


def answers(port: int) -> bool:
    """Whether the API on this port is ready."""
    try:
        url = f"http://127.0.0.1:{port}/api/v1/health/ready"
        # Loading all certificate authorities would take as long as a dozen answers.
        return httpx.get(url, verify=False).is_success  # noqa: S501 - plain HTTP
    except httpx.TransportError:
        return False
