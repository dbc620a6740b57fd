"""pytest in a fork of a process that has loaded the libraries, which take longer than most tests.

The fork server loads none of our modules, and neither libvips nor OpenCV, which survive no fork.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

_LIBRARIES: Final = (
    "pytest",
    "hypothesis",
    "xdist",
    "litestar",
    "litestar.openapi.plugins",
    "litestar.security.jwt",
    "psycopg",
    "psycopg_pool",
    "procrastinate",
    "eventsourcing.postgres",
    "aioboto3",
    "aiobotocore.session",
    "httpx",
    "prometheus_client",
    "opentelemetry.sdk.trace",
    "stamina",
    "structlog",
    "typer",
    "uvicorn",
    "yoyo",
)
_PR_SET_PDEATHSIG: Final = 1
_CONTEXT: Final = get_context("forkserver")
_CONTEXT.set_forkserver_preload(list(_LIBRARIES))


def run_pytest(
    arguments: Sequence[str], *, tree: Path, environ: Mapping[str, str], limit_seconds: float
) -> tuple[int | None, str]:
    """Run pytest in a project; the exit code (None: it was killed at the limit) and the output."""
    with NamedTemporaryFile() as output:
        child = _CONTEXT.Process(target=_run, args=(arguments, tree, environ, output.name))
        child.start()
        try:
            child.join(limit_seconds)
            return child.exitcode, output.read().decode()
        finally:
            if child.is_alive() and child.pid is not None:
                os.killpg(child.pid, signal.SIGKILL)
                child.join()


def _run(arguments: Sequence[str], tree: Path, environ: Mapping[str, str], output: str) -> None:
    os.setsid()
    # A mutant may loop forever, and its runner may be killed before the time limit.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with Path(output).open("wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    os.chdir(tree)
    os.environ.clear()
    os.environ.update(environ)
    # Ours come from the tree from now on, and what they compile to is not kept.
    sys.path.insert(0, str(tree))
    sys.dont_write_bytecode = True
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    import pytest  # noqa: PLC0415 - loaded already, where this runs

    sys.exit(pytest.main(list(arguments)))
