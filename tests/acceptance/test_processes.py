"""Every process logs what it is when it starts, and that it stopped."""

import json
import signal
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from api.stack.local import LocalStack
from api.stack.ports import choose_ports
from tests.acceptance.commands import NOVA, answers, bare_environ, run_nova
from tests.api.stack.running import wait_until

VERSION = version("nova-publishing")


@pytest.mark.parametrize("verb", ["api", "worker", "projector"])
def test_a_process_logs_what_it_is_and_that_it_stopped(
    verb: str, stack: LocalStack, tmp_path: Path
) -> None:
    port = choose_ports(["api"], tmp_path / "ports.json")["api"]
    environ = {**bare_environ(), **stack.environ, "APP_PORT": str(port), "WORKER_CONCURRENCY": "1"}
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen([*NOVA, verb], env=environ, stderr=file)
    try:
        wait_until(lambda: "starting" in log.read_text())
        if verb == "api":
            wait_until(lambda: answers(port))
        elif verb == "projector":
            # The stack's own one leads.
            wait_until(lambda: "standing_by" in log.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.read_text().splitlines()]
    first, last = lines[0], lines[-1]
    assert (first["event"], first["process"], first["version"]) == ("starting", verb, VERSION)
    facts: dict[str, dict[str, object]] = {
        "api": {"url": f"http://127.0.0.1:{port}", "environment": "development"},
        "worker": {"image_processes": 1},
        "projector": {"projections": ["posts", "usage", "audit"]},
    }
    assert facts[verb].items() <= first.items()
    assert (last["event"], last["process"]) == ("stopped", verb)


def test_nova_prints_its_version() -> None:
    done = run_nova("--version")
    assert (done.returncode, done.stdout) == (0, f"nova {VERSION}\n")
