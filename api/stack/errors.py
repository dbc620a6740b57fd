"""Errors of a local stack.

StackError
├── FolderInUse        another stack uses the folder
├── PortTaken          another program listens on the requested port
├── NoStack            no stack has ever run in the folder
├── StackNotRunning    no stack runs in the folder
├── MissingSettings    the environment lacks variables that the stack cannot provide
├── ServersUnavailable an embedded server cannot run on this machine
├── ServerDidNotStart  a process exited or timed out before it was ready
├── CommandFailed      a command such as initdb or migrate exited with an error
└── CrashLoop          a process keeps crashing
"""

from pathlib import Path
from typing import Final

INSTALL_LOCAL: Final = "run pip install 'nova-publishing[local]'"


class StackError(Exception):
    """Base of the errors that stop a local stack; the message says what to do."""


class FolderInUse(StackError):
    """Another stack uses the folder; `pid` is 0 if unknown."""

    def __init__(self, folder: Path, *, pid: int) -> None:
        super().__init__(
            f"Another stack uses {folder} (process {pid or 'unknown'}). Stop it, or choose "
            "another folder with --data DIR."
        )
        self.folder = folder
        self.pid = pid


class PortTaken(StackError):
    """Another program listens on the requested port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"Port {port} is in use. Choose another with --port PORT.")
        self.port = port


class NoStack(StackError):
    """No stack has ever run in the folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"There is no stack in {folder}. Choose its folder with --data DIR.")
        self.folder = folder


class StackNotRunning(StackError):
    """No stack runs in the folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"No stack is running in {folder}. Start one with nova dev --data DIR.")
        self.folder = folder


class MissingSettings(StackError):
    """The environment lacks variables that the stack cannot provide."""

    def __init__(self, names: tuple[str, ...], *, reason: str) -> None:
        super().__init__(f"{reason}: set {', '.join(names)}")
        self.names = names


class ServersUnavailable(StackError):
    """An embedded server cannot run on this machine."""

    def __init__(self, name: str, *, reason: str, variable: str) -> None:
        super().__init__(f"Embedded {name} unavailable: {reason}. Set {variable} to use your own.")
        self.name = name


class ServerDidNotStart(StackError):
    """A process exited or timed out before it was ready."""

    def __init__(self, name: str, *, log: Path, log_tail: str) -> None:
        super().__init__(f"{name} did not start. See {log}, which ends with:\n{log_tail}")
        self.name = name
        self.log = log
        self.log_tail = log_tail


class CommandFailed(StackError):
    """A command exited with an error, or timed out: then `exit_code` is None."""

    def __init__(self, name: str, *, exit_code: int | None, output: str) -> None:
        ending = "timed out" if exit_code is None else f"failed (exit code {exit_code})"
        super().__init__(f"{name} {ending}:\n{output}")
        self.name = name
        self.exit_code = exit_code
        self.output = output


class CrashLoop(StackError):
    """A process keeps crashing after restarts."""

    def __init__(self, name: str, *, crashes: int, log: Path) -> None:
        super().__init__(f"{name} crashed {crashes} times in a row. See {log}.")
        self.name = name
        self.crashes = crashes
        self.log = log
