"""Processes that a test runs beside a stack, for the length of a block."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import LiteralString

import httpx
import psycopg

from api.stack.local import SERVICES, LocalStack
from tests.acceptance.stacks import run_local_stack
from tests.faults.secret_leaks import assert_nothing_secret

WORKER = (sys.executable, "-m", "api", "worker")
PROJECTOR = (sys.executable, "-m", "api", "projector")
# A process that dies by its own hand, once, right after a call that it makes for every post.
_DYING = """
import functools, inspect, os, pathlib, pkgutil, signal, sys

marker, verb, owner, name = pathlib.Path(sys.argv[1]), *sys.argv[2:5]
after, how = int(sys.argv[5]), getattr(signal, sys.argv[6])
original, calls = getattr(pkgutil.resolve_name(owner), name), 0

def die_if_due():
    global calls
    calls += 1
    if calls == after and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), how)

@functools.wraps(original)
def and_die(*args, **named):
    result = original(*args, **named)
    die_if_due()
    return result

@functools.wraps(original)
async def and_die_too(*args, **named):
    result = await original(*args, **named)
    die_if_due()
    return result

is_async = inspect.iscoroutinefunction(original)
setattr(pkgutil.resolve_name(owner), name, and_die_too if is_async else and_die)
sys.argv = ["nova", verb]
from api.cli.main import main
main()
"""


@contextmanager
def stack_without(*names: str, environ: Mapping[str, str]) -> Iterator[LocalStack]:
    """A stack that lacks some of our processes: tests bring their own."""
    services = {name: command for name, command in SERVICES.items() if name not in names}
    with run_local_stack(environ, services=services) as stack:
        yield stack


@contextmanager
def working(
    stack: LocalStack,
    *command: str,
    environ: Mapping[str, str] | None = None,
    said: list[str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """A process, by default a worker, ended with the block; it may say nothing that is secret.

    Args:
        stack: whose servers it uses.
        command: what to run.
        environ: variables besides those of the stack.
        said: a list that gets its output lines, all of them by the end of the block.
    """
    said = [] if said is None else said
    # Through a pipe, as one of them cannot write files; read at once, as a full one halts it.
    with subprocess.Popen(
        command or WORKER,
        env={**os.environ, **stack.environ, **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        reading = Thread(target=said.extend, args=(process.stdout,))
        reading.start()
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            finally:
                process.kill()
                reading.join()
                # Shown with a test that fails.
                sys.stderr.write("".join(said))
    assert_nothing_secret("".join(said), stack.environ, speaker=process.args)


def script(source: str, *arguments: str) -> tuple[str, ...]:
    """A command that runs this script."""
    return (sys.executable, "-c", source, *arguments)


def dying(
    verb: str, owner: str, name: str, *, marker: Path, after: int = 1, how: str = "SIGKILL"
) -> tuple[str, ...]:
    """A command that runs a verb of ours and dies right after this call has returned.

    Args:
        verb: such as `worker`.
        owner: where the function is looked up, as `package.module` or `package.module:Class`.
        name: the function.
        marker: touched before it dies, so that it dies once only.
        after: which of the calls it is, from 1.
        how: the signal.
    """
    return script(_DYING, str(marker), verb, owner, name, str(after), how)


def jobs(stack: LocalStack, status: str, *, due: LiteralString = "true") -> set[str]:
    """The posts whose transcode jobs have a status."""
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        found = connection.execute(
            "SELECT args ->> 'post_id' FROM procrastinate_jobs"
            f" WHERE queue_name = 'transcode' AND status = %s AND ({due})",
            [status],
        ).fetchall()
    return {row[0] for row in found}


def is_ready(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(f"{url}/api/v1/health/ready").status_code == 200
    except httpx.TransportError:
        return False
