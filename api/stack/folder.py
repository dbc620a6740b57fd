"""The folder of one stack: what lies where in it, and the lock that keeps a second stack out."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from api.stack.credentials import load_credentials
from api.stack.errors import FolderInUse


class StackFolder(Struct, frozen=True):
    """Where the parts of a stack keep their files; `path` is absolute."""

    path: Path

    @property
    def postgres(self) -> Path:
        """The database cluster."""
        return self.path / "postgres"

    @property
    def seaweedfs(self) -> Path:
        """The objects and their index."""
        return self.path / "seaweedfs"

    @property
    def temporary(self) -> Path:
        """Files that no run needs from the one before."""
        return self.path / "tmp"

    @property
    def credentials(self) -> Path:
        """The generated secrets."""
        return self.path / "credentials.json"

    @property
    def ports(self) -> Path:
        """The ports of the last run, used again where they are free."""
        return self.path / "ports.json"

    @property
    def lock(self) -> Path:
        """Held by the running stack, whose process id it contains."""
        return self.path / "lock"

    def log(self, name: str) -> Path:
        """What the process of that name says."""
        return self.path / "logs" / f"{name}.log"


def create_folder(path: Path) -> StackFolder:
    """The folder at `path`, made private to its owner if it is not there yet."""
    resolved = path.expanduser().resolve()
    resolved.parent.mkdir(parents=True, exist_ok=True)
    # PostgreSQL refuses to run as root and runs as somebody else then, who has to pass through.
    resolved.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, exist_ok=True)
    return StackFolder(resolved)


def read_jwt_secret(path: Path) -> str:
    """The secret that the tokens of the stack in `path` are signed with, made if absent."""
    return load_credentials(create_folder(path).credentials).jwt_secret


@contextmanager
def locked_folder(path: Path) -> Iterator[StackFolder]:
    """The folder at `path`, ours alone until the block ends or the process dies.

    Raises:
        FolderInUse: another process holds it.
    """
    folder = create_folder(path)
    descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor, folder)
        _tidy(folder)
        yield folder
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: StackFolder) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).strip()
        raise FolderInUse(folder.path, pid=int(holder) if holder.isdigit() else 0) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _tidy(folder: StackFolder) -> None:
    shutil.rmtree(folder.temporary, ignore_errors=True)
    for part in (folder.temporary, folder.seaweedfs, folder.path / "logs"):
        part.mkdir(mode=0o700, exist_ok=True)
