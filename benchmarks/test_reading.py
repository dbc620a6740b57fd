"""Reading a post, beside a bare handler that runs one indexed query."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

import anyio
import pytest

from api.stack.local import LocalStack
from api.stack.ports import choose_ports
from benchmarks.load_clients import Clients

pytestmark = pytest.mark.anyio

READERS: Final = 16
READING_SHARE: Final = 0.6


async def test_reading_a_post_costs_little_more_than_a_bare_handler(
    stack: LocalStack, clients: Clients, small_photo: bytes, is_measuring: bool, tmp_path: Path
) -> None:
    opened = await clients.send(small_photo)
    await clients.complete(opened)
    await clients.final(opened.post_id)
    port = choose_ports(["bare"], tmp_path / "ports.json")["bare"]
    shares = []
    # Many short rounds: what else the machine does meets both.
    rounds, seconds = (15 if is_measuring else 1), 1.0
    with bare_handler(stack, port) as address:
        for _ in range(rounds):
            api = await reads_per_second(clients, opened.post_id, seconds=seconds)
            bare = await reads_per_second(clients.at(address), opened.post_id, seconds=seconds)
            shares.append(api / bare)
            print(f"\nGET of a post {api:,.0f}/s, of a bare handler {bare:,.0f}/s")
    print(f"share: {median(shares):.2f}")
    if is_measuring:
        assert median(shares) >= READING_SHARE


@contextmanager
def bare_handler(stack: LocalStack, port: int) -> Iterator[str]:
    """The address of a bare handler on the stack's database."""
    environ = {**os.environ, "DATABASE_URL": stack.environ["DATABASE_URL"]}
    command = [sys.executable, "-m", "benchmarks.bare_handler", str(port)]
    with subprocess.Popen(command, env=environ) as process:
        try:
            wait_for_port(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def wait_for_port(port: int) -> None:
    """Until somebody answers there."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError


async def reads_per_second(clients: Clients, post_id: str, *, seconds: float) -> float:
    """How many reads of one post so many clients get in a second."""
    done = 0

    async def read() -> None:
        nonlocal done
        while True:
            await clients.read(post_id)
            done += 1

    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            for _ in range(READERS):
                tasks.start_soon(read)
    return done / seconds
