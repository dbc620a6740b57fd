"""A child process of the stack: what to run, its log, and starting and sweeping it."""

import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import BinaryIO

import anyio
import anyio.abc
from msgspec import Struct

from api.stack import exec_child
from api.stack.errors import CommandFailed

LOG_LIMIT_BYTES = 5_000_000
_TAIL_BYTES = 4_000
_TAIL_LINES = 12


class Account(Struct, frozen=True):
    """Another user to run as; only root can ask for one."""

    uid: int
    gid: int


class Child(Struct, frozen=True, kw_only=True):
    """One process to keep running.

    It is ready when `is_ready` says so, or as soon as it runs if there is none. `leftovers` are
    files that it may leave behind and that are removed when it has ended.
    """

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    log: Path
    folder: Path | None = None
    account: Account | None = None
    stop_signal: Signals = SIGTERM
    # The most that it gets to stop, when there is that much time at all.
    stop_within_seconds: float = 10.0
    # What the child gets when our own process is killed.
    orphan_signal: Signals = SIGKILL
    is_ready: Callable[[], Awaitable[bool]] | None = None
    ready_within_seconds: float = 30.0
    leftovers: tuple[Path, ...] = ()


async def spawn(child: Child) -> anyio.abc.Process:
    """Start it in a session of its own, so that a Ctrl-C on the terminal reaches only us."""
    with _open_log(child.log) as log:
        return await anyio.open_process(
            _wrapped(child),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=child.folder,
            env=child.environ,
            start_new_session=True,
        )


async def run_to_end(child: Child, *, within_seconds: float) -> None:
    """Run a command that prepares something.

    Raises:
        CommandFailed: it ended with an error, or not in time.
    """
    start = rotate_log(child.log)
    process = await spawn(child)
    exit_code: int | None = None
    try:
        with anyio.move_on_after(within_seconds):
            exit_code = await process.wait()
    finally:
        sweep(process.pid)
        with anyio.CancelScope(shield=True):
            await process.wait()
    if exit_code != 0:
        raise CommandFailed(child.name, exit_code=exit_code, output=log_tail(child.log, start))


def _open_log(log: Path) -> BinaryIO:
    return log.open("ab")


def send_signal(pid: int, signal: Signals) -> None:
    """Signal a child that may have ended meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal)


def sweep(pid: int) -> None:
    """Kill whatever is left of the session that the child `pid` leads."""
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of zombies
        os.killpg(pid, SIGKILL)


def rotate_log(log: Path) -> int:
    """Put a log that has grown too big aside; returns where the next word will stand in it."""
    try:
        size_bytes = log.stat().st_size
    except FileNotFoundError:
        return 0
    if size_bytes <= LOG_LIMIT_BYTES:
        return size_bytes
    log.replace(log.with_suffix(".log.1"))
    return 0


def log_tail(log: Path, start: int) -> str:
    """The last lines that were written since position `start`."""
    with log.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(start, end - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])


def _wrapped(child: Child) -> list[str]:
    account = child.account or Account(uid=-1, gid=-1)
    facts = (os.getpid(), child.orphan_signal, account.uid, account.gid)
    wrapper = [sys.executable, "-I", "-S", exec_child.__file__]
    return [*wrapper, *(str(int(fact)) for fact in facts), *child.argv]
