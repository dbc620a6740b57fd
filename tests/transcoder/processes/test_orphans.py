"""Orphans: there are none, because an image process does not outlive its parent."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import psutil

# Freezes its image processes, so that nothing but the kernel can end them, and dies.
PARENT: Final = """
import json, os, signal
import anyio, psutil
from transcoder.processes.pool import RenderPool
from transcoder.rendering import Limits

async def main():
    await RenderPool(size=2, limits=Limits()).warm()
    children = psutil.Process().children()
    for child in children:
        child.suspend()
    print(json.dumps([child.pid for child in children]), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

anyio.run(main)
"""


def test_image_processes_die_with_a_parent_that_was_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout
        frozen = [process for pid in json.loads(parent.stdout.readline()) if (process := live(pid))]
        assert parent.wait(30) == -signal.SIGKILL
    _, survivors = psutil.wait_procs(frozen, timeout=60)
    for survivor in survivors:
        survivor.kill()
    assert not survivors


def live(pid: int) -> psutil.Process | None:
    """The process, unless it is gone by now."""
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
