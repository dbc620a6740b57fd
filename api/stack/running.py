"""The running stack of a folder: how other processes of the same user reach its servers.

A stack keeps these variables in a file of its folder while it runs.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from api.stack.credentials import load_credentials
from api.stack.errors import NoStack, StackNotRunning
from api.stack.folder import StackFolder, is_locked

FOLDER_NAME: Final = ".nova"
# What says where posts and photos are, and as whom: a command must never mix two places.
PLACES: Final = (
    "DATABASE_URL",
    "DATABASE_READ_URL",
    "S3_BUCKET_NAME",
    "S3_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
)
_SHARED: Final = (
    *PLACES,
    "DATABASE_OWNER_URL",
    "DATABASE_DIRECT_URL",
    "S3_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "CLOUDFRONT_URL",
    "JWT_SECRET",
    "JWT_ISSUER",
    "JWT_AUDIENCE",
    "JWT_ROLE_CLAIM",
    "AUDIT_SIGNING_KEY",
    "AUDIT_PUBLIC_KEY",
    "AUDIT_ORIGIN",
    "NO_PROXY",
    "no_proxy",
)


def find_folder(start: Path) -> Path | None:
    """The folder `.nova` of this user in `start` or the nearest folder above it.

    Skip those of other users, as git does: anyone who can write to a folder above, such as /tmp,
    could otherwise name the database and the store that commands use.
    """
    above = (one / FOLDER_NAME for one in (start, *start.parents))
    return next((one for one in above if one.is_dir() and _is_own(one)), None)


def _is_own(folder: Path) -> bool:
    return folder.stat().st_uid == os.geteuid()


@contextmanager
def shared_environ(folder: StackFolder, environ: Mapping[str, str]) -> Iterator[None]:
    """Let other processes of this user read how to reach the stack, until the block ends."""
    content = msgspec.json.encode({name: environ[name] for name in _SHARED if name in environ})
    path = folder.environment
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running_environ(path: Path) -> dict[str, str]:
    """The variables with which commands reach the stack that runs in `path`.

    Raises:
        StackNotRunning: no stack runs there.
    """
    folder = StackFolder(path.expanduser().resolve())
    # A stack that was killed leaves its file.
    if not is_locked(folder):
        raise StackNotRunning(path)
    try:
        environ = msgspec.json.decode(folder.environment.read_bytes(), type=dict[str, str])
    except (FileNotFoundError, msgspec.DecodeError):  # it starts or stops
        raise StackNotRunning(path) from None
    return {name: environ[name] for name in _SHARED if name in environ}


def token_environ(path: Path) -> dict[str, str]:
    """The variables that sign tokens for the stack in `path`, running or not.

    Raises:
        NoStack: no stack has ever run there.
    """
    folder = StackFolder(path.expanduser().resolve())
    with suppress(StackNotRunning):
        running = running_environ(path)
        return {name: running[name] for name in running if name.startswith("JWT_")}
    if not folder.credentials.is_file():
        raise NoStack(path)
    return {"JWT_SECRET": load_credentials(folder.credentials).jwt_secret}
