"""What can be wrong with a local stack.

StackError
├── FolderInUse        another stack runs on the folder
├── PortTaken          another program listens on the port that was asked for
├── MissingSettings    the environment lacks variables that nothing can stand in for
├── ServersUnavailable the embedded server cannot run on this machine
├── ServerDidNotStart  a process died or stayed silent instead of getting ready
├── CommandFailed      a preparing command (initdb, migrate) ended with an error
└── KeepsDying         a process died again and again although it was restarted
"""

from pathlib import Path
from typing import Final

INSTALL_LOCAL: Final = "run pip install 'nova-publishing[local]'"


class StackError(Exception):
    """Base of what stops a local stack; the message says what to do."""


class FolderInUse(StackError):
    """Another stack runs on the folder; its process id is 0 where it is not known."""

    def __init__(self, folder: Path, *, pid: int) -> None:
        super().__init__(
            f"a stack runs on {folder} already (process {pid or 'unknown'}): stop it, or choose "
            "another folder with --data DIR"
        )
        self.folder = folder
        self.pid = pid


class PortTaken(StackError):
    """Another program listens on the port that was asked for."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is taken by another program: choose another with --port P")
        self.port = port


class MissingSettings(StackError):
    """The environment lacks variables that nothing can stand in for."""

    def __init__(self, names: tuple[str, ...], *, reason: str) -> None:
        super().__init__(f"{reason}: set {', '.join(names)}")
        self.names = names


class ServersUnavailable(StackError):
    """The embedded server cannot run on this machine."""

    def __init__(self, name: str, *, reason: str, variable: str) -> None:
        super().__init__(f"no embedded {name} here: {reason}. Set {variable} to use your own")
        self.name = name


class ServerDidNotStart(StackError):
    """A process died or stayed silent instead of getting ready."""

    def __init__(self, name: str, *, log: Path, log_tail: str) -> None:
        super().__init__(f"{name} did not start. All it said is in {log}; the end:\n{log_tail}")
        self.name = name
        self.log = log
        self.log_tail = log_tail


class CommandFailed(StackError):
    """A preparing command ended with an error or not at all; the exit code is None then."""

    def __init__(self, name: str, *, exit_code: int | None, output: str) -> None:
        ending = "did not end in time" if exit_code is None else f"failed (exit code {exit_code})"
        super().__init__(f"{name} {ending}. It said:\n{output}")
        self.name = name
        self.exit_code = exit_code
        self.output = output


class KeepsDying(StackError):
    """A process died again and again although it was restarted."""

    def __init__(self, name: str, *, deaths: int, log: Path) -> None:
        super().__init__(f"{name} died {deaths} times in a row: see {log}")
        self.name = name
        self.deaths = deaths
        self.log = log
