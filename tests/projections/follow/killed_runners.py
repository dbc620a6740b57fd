"""Killed runners: processes that are ended by SIGKILL at random instants, one after the other.

Run as `python -m tests.projections.follow.killed_runners DUTY URL LIVES SHORTEST LONGEST`. Modules
are loaded once and each life is a fork, because starting Python takes longer than most lives do.
Each life that ends before it is killed is printed as `ended N`.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from projections.follow.projection import POSTS
from projections.follow.runner import follow
from projections.rebuild.rebuild import RebuildRunning, rebuild


async def _rebuild(url: str) -> None:
    while True:
        try:
            await rebuild(url, POSTS, report=lambda *_: None, batch_events=50, workers=2)
        except RebuildRunning:
            # The server has not noticed the end of the one before.
            await anyio.sleep(0.01)
        else:
            return


async def _follow(url: str) -> None:
    await follow(url, POSTS)


DUTIES: Final[dict[str, Callable[[str], Awaitable[None]]]] = {
    "follow": _follow,
    "rebuild": _rebuild,
}


def main() -> None:
    """Fork a life, kill it at a random instant, and start the next."""
    duty, url, lives, shortest, longest = sys.argv[1:]
    instants = random.Random(4)  # noqa: S311 - instants, not secrets
    for life in range(int(lives)):
        process = os.fork()
        if process == 0:
            anyio.run(DUTIES[duty], url)
            os._exit(0)
        time.sleep(instants.uniform(float(shortest), float(longest)))
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        if os.WIFEXITED(status):
            sys.stdout.write(f"ended {life}\n")


if __name__ == "__main__":
    main()
