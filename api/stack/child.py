"""A child process of the stack: how to start it, log it and kill what it leaves."""

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
    """Another user to run as; requires root."""

    uid: int
    gid: int


class Child(Struct, frozen=True, kw_only=True):
    """A process to keep running.

    It is ready once `is_ready` returns true, or immediately without one. Files in `leftovers` are
    removed when it has ended.
    """

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    log: Path
    folder: Path | None = None
    account: Account | None = None
    stop_signal: Signals = SIGTERM
    # Upper limit: the shutdown of the whole stack may leave less.
    stop_within_seconds: float = 10.0
    # The signal it receives when our own process is killed.
    orphan_signal: Signals = SIGKILL
    is_ready: Callable[[], Awaitable[bool]] | None = None
    ready_within_seconds: float = 30.0
    leftovers: tuple[Path, ...] = ()


async def spawn(child: Child) -> anyio.abc.Process:
    """Start it in a new session, so that Ctrl-C reaches only us."""
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
    """Run a command to its end.

    Raises:
        CommandFailed: it exited with an error, or not in time.
    """
    start = rotate_log(child.log)
    process = await spawn(child)
    exit_code: int | None = None
    try:
        with anyio.move_on_after(within_seconds):
            exit_code = await process.wait()
    finally:
        kill_session(process.pid)
        with anyio.CancelScope(shield=True):
            await process.wait()
    if exit_code != 0:
        raise CommandFailed(child.name, exit_code=exit_code, output=log_tail(child.log, start))


def _open_log(log: Path) -> BinaryIO:
    return log.open("ab")


def send_signal(pid: int, signal: Signals) -> None:
    """Signal a child that may have exited already."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal)


def kill_session(pid: int) -> None:
    """Kill all remaining processes of the session that `pid` leads."""
    with suppress(ProcessLookupError, PermissionError):  # macOS raises the latter for zombies
        os.killpg(pid, SIGKILL)


def rotate_log(log: Path) -> int:
    """Rotate a log that has grown too large; returns the offset where new output starts."""
    try:
        size_bytes = log.stat().st_size
    except FileNotFoundError:
        return 0
    if size_bytes <= LOG_LIMIT_BYTES:
        return size_bytes
    log.replace(log.with_suffix(".log.1"))
    return 0


def log_tail(log: Path, start: int) -> str:
    """The last lines written since offset `start`."""
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
