"""Become another program that dies with its parent: the last step before a child's exec.

Run as a file by a bare interpreter (15 ms), because what it does must happen in the child and a
`preexec_fn` is unsafe in a process with threads. The death signal comes last: the kernel forgets
it when the user changes. Arguments: PARENT_PID SIGNAL UID GID PROGRAM ARGUMENT…, where a UID of
-1 keeps the user.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(parent_pid: int, death_signal: int, uid: int, gid: int) -> None:
    """Change the user if asked to, tie our life to the parent's, and exec."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal)
    # It may have died before the kernel knew that we care.
    if os.getppid() != parent_pid:
        sys.exit("the parent is gone")
    try:
        os.execv(sys.argv[5], sys.argv[5:])  # noqa: S606 - no shell on purpose
    except OSError as error:
        sys.exit(f"cannot run {sys.argv[5]}: {error}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]))
