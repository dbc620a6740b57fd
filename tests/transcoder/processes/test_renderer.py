"""An image process after its first photo: it is nice to all others, and its CPU time is bounded."""

import json
import subprocess
import sys
from typing import Any

import pytest

SCRIPT = """
import json, os, resource
from tests.transcoder import pictures
from transcoder.processes.renderer import prepare, render_in_sandbox
from transcoder.rendering import Limits

# Recorded, since whoever runs the tests may be as nice already.
priorities = []
os.setpriority = lambda *asked: priorities.append(asked)
photo, limits = pictures.jpeg(), Limits(deadline_seconds=5)
prepare(limits)
is_nice_while_it_starts = bool(priorities)
seconds = []
for _ in range(2):
    render_in_sandbox(photo, "image/jpeg", limits)
    seconds.append(resource.getrlimit(resource.RLIMIT_CPU)[0])
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "is_nice_while_it_starts": is_nice_while_it_starts,
    "is_nice": (os.PRIO_PROCESS, 0, 10) in priorities,
    "cpu_seconds": seconds,
    "used_seconds": usage.ru_utime + usage.ru_stime,
    "killed_after_seconds": limits.killed_after_seconds,
}))
"""


@pytest.fixture(scope="module")
def after_rendering() -> dict[str, Any]:
    """What a process says of itself after it has rendered two photos."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, check=True, timeout=120
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_image_process_gives_way_to_all_others(after_rendering: dict[str, Any]) -> None:
    assert after_rendering["is_nice"]
    # Starting would take minutes on a busy machine.
    assert not after_rendering["is_nice_while_it_starts"]


def test_a_photo_has_a_bounded_number_of_cpu_seconds(after_rendering: dict[str, Any]) -> None:
    first, second = after_rendering["cpu_seconds"]
    most = after_rendering["used_seconds"] + 2 * after_rendering["killed_after_seconds"] + 2
    assert 0 < first <= second <= most
