"""Confinement: what the kernel refuses an image process, while it starts and once it is warm.

While it starts, it reads its libraries. Once it is warm, it needs nothing but memory, threads and
the pipes to its parent, so a photo that takes over a decoder finds nothing else.
"""

import os
from functools import cache
from typing import Final

from transcoder.processes import landlock, seccomp
from transcoder.processes.prctl import die_with_parent, hide_memory

# `nobody` on Linux: owns no files.
NOBODY: Final = 65534


@cache
def confine_start() -> None:
    """Allow this process to read files, and to change or reach nothing; once per process.

    Call it before libraries start threads.
    """
    _guard_process()
    # To answer, the libraries run a program that finds libc; both remember the answer.
    seccomp.is_available()
    landlock.abi()
    landlock.allow_only_reading()


@cache
def confine() -> tuple[str, ...]:
    """Leave this process nothing that rendering does not need; once per process.

    Returns:
        The defences that this machine lacks: `landlock`, `seccomp`, `unprivileged user`.

    Raises:
        OSError: the kernel has the defences, but refuses to apply them.
    """
    lacks_user = not _leave_root()
    # A change of user undoes it.
    _guard_process()
    landlock.allow_no_file()
    lacks_landlock = landlock.abi() < landlock.WHOLE_ABI
    lacks_seccomp = not seccomp.is_available()
    if not lacks_seccomp:
        seccomp.allow_only_rendering()
    lacking = (
        ("landlock", lacks_landlock),
        ("seccomp", lacks_seccomp),
        ("unprivileged user", lacks_user),
    )
    return tuple(name for name, lacks in lacking if lacks)


def _guard_process() -> None:
    hide_memory()
    die_with_parent()


def _leave_root() -> bool:
    """Become `nobody` if we are root, or return False where a container does not allow it."""
    if os.geteuid() != 0:
        return True
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        return False
    return True
