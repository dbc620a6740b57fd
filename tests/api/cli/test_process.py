"""A process that is told to stop before it has begun stops, wherever the signal finds it."""

import json
import subprocess
import sys

import pytest

# In a finalizer, as in the callbacks of imports and event loops, Python ignores exceptions.
IN_A_FINALIZER = """
class Resource:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)

Resource()
"""
IN_THE_BLOCK = "signal.raise_signal(signal.SIGTERM)\n"
PROGRAM = """
import signal
from api.cli.process import logged_process
from api.logs import configure_logs

configure_logs()
with logged_process("worker"):
    exec({block!r})
    print("went on", flush=True)
"""


@pytest.mark.parametrize("block", [IN_THE_BLOCK, IN_A_FINALIZER])
def test_an_early_signal_ends_the_process_without_a_trace(block: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(block=block)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "")
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert events == ["starting", "stopped"]
