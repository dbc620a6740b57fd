"""Secrets: each process of a running stack holds those that it needs, and hides its memory."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import psutil
import pytest

from api.stack.local import LocalStack
from tests.api.stack.running import wait_until

DATABASE: Final = "DATABASE_URL"
STORE: Final = "AWS_SECRET_ACCESS_KEY"
TOKENS: Final = "JWT_SECRET"
SIGNING: Final = "AUDIT_SIGNING_KEY"
NEEDED: Final[dict[str, set[str]]] = {
    "postgres": set(),
    "seaweedfs": {STORE},
    "api": {DATABASE, STORE, TOKENS},
    "worker": {DATABASE, STORE},
    "projector": {DATABASE, SIGNING},
    "image process": set(),
}
# Runs a verb that prints whether others could read its memory.
DUMPABLE: Final = """
import ctypes
from api.cli import main
main.app = lambda **_: print(ctypes.CDLL(None).prctl(3))
main.main()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can read what the processes hide")
def test_no_process_is_given_a_secret_that_it_does_not_need(stack: LocalStack) -> None:
    wait_until(lambda: bool(image_processes(stack)))
    secrets = {stack.environ[name]: name for name in (DATABASE, STORE, TOKENS, SIGNING)}
    found: dict[str, set[str]] = {name: set() for name in stack.pids}
    for name, pid in stack.pids.items():
        found[name] |= secrets_of(psutil.Process(pid), secrets)
    for process in descendants(stack, "postgres") + descendants(stack, "seaweedfs"):
        assert secrets_of(process, secrets) <= {STORE}
    found["image process"] = set().union(
        *(secrets_of(process, secrets) for process in image_processes(stack))
    )
    assert found == NEEDED


def test_a_command_hides_its_memory_before_it_reads_a_secret() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DUMPABLE], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    assert done.stdout == "0\n"


def image_processes(stack: LocalStack) -> list[psutil.Process]:
    return [
        process
        for process in descendants(stack, "worker")
        if "transcoder.processes" in process.cmdline()
    ]


def descendants(stack: LocalStack, name: str) -> list[psutil.Process]:
    return psutil.Process(stack.pids[name]).children(recursive=True)


def secrets_of(process: psutil.Process, secrets: dict[str, str]) -> set[str]:
    """The names of the secrets that the process was started with; root sees all of them."""
    environment = Path(f"/proc/{process.pid}/environ").read_text()
    return {name for value, name in secrets.items() if value in environment}
