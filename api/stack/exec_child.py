"""Exec another program that dies with its parent.

Run as a file by a bare interpreter (15 ms): these steps must happen in the child, and a
`preexec_fn` is unsafe in a process with threads. The death signal is set last, because the kernel
clears it when the user changes.

Arguments: PARENT_PID SIGNAL UID GID PROGRAM ARGUMENT…, where a UID of -1 keeps the user.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(parent_pid: int, death_signal: int, uid: int, gid: int) -> None:
    """Change the user if `uid` is not -1, set the parent death signal, and exec."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal)
    # The parent may have exited before the signal was set.
    if os.getppid() != parent_pid:
        sys.exit("the parent is gone")
    try:
        os.execv(sys.argv[5], sys.argv[5:])  # noqa: S606 - no shell on purpose
    except OSError as error:
        sys.exit(f"cannot run {sys.argv[5]}: {error}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]))
