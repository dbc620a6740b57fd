"""The folder of a stack: its layout, and the lock that keeps a second stack out."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from api.stack.errors import FolderInUse

LOCK_ATTEMPTS: Final = 5
LOCK_AGAIN_SECONDS: Final = 0.02


class StackFolder(Struct, frozen=True):
    """The layout of a stack folder; `path` is absolute."""

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
        """Temporary files, removed before each run."""
        return self.path / "tmp"

    @property
    def credentials(self) -> Path:
        """The generated secrets."""
        return self.path / "credentials.json"

    @property
    def environment(self) -> Path:
        """How to reach the servers of the running stack; absent while none runs."""
        return self.path / "environment.json"

    @property
    def ports(self) -> Path:
        """The ports of the last run, reused while they are free."""
        return self.path / "ports.json"

    @property
    def lock(self) -> Path:
        """The lock file: locked while a stack runs, it contains that process's id."""
        return self.path / "lock"

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.path / "logs" / f"{name}.log"


def create_folder(path: Path) -> StackFolder:
    """Create the folder at `path` if necessary, private to its owner."""
    resolved = path.expanduser().resolve()
    resolved.parent.mkdir(parents=True, exist_ok=True)
    # As root, PostgreSQL runs as another user, who must be able to traverse the folder.
    resolved.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, exist_ok=True)
    return StackFolder(resolved)


@contextmanager
def locked_folder(path: Path) -> Iterator[StackFolder]:
    """Lock the folder at `path` until the block or the process ends.

    Raises:
        FolderInUse: another process holds the lock.
    """
    folder = create_folder(path)
    descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor, folder)
        _create_subfolders(folder)
        yield folder
    finally:
        os.close(descriptor)


def is_locked(folder: StackFolder) -> bool:
    """Whether a stack runs in the folder: the lock ends with its process, however that ends."""
    try:
        descriptor = os.open(folder.lock, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: StackFolder) -> None:
    # A command that asks whether a stack runs holds the lock for an instant.
    for _ in range(LOCK_ATTEMPTS):
        if _try_lock(descriptor, fcntl.LOCK_EX):
            break
        time.sleep(LOCK_AGAIN_SECONDS)
    else:
        holder = os.pread(descriptor, 20, 0).strip()
        raise FolderInUse(folder.path, pid=int(holder) if holder.isdigit() else 0)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _create_subfolders(folder: StackFolder) -> None:
    folder.environment.unlink(missing_ok=True)  # left by a stack that was killed
    shutil.rmtree(folder.temporary, ignore_errors=True)
    for part in (folder.temporary, folder.seaweedfs, folder.path / "logs"):
        part.mkdir(mode=0o700, exist_ok=True)
