"""Landlock: the files, network and processes that an image process cannot reach.

The kernel also keeps a process under Landlock from reading the memory and the environment of every
process that is not, root's included.
"""

from functools import cache
from typing import Final

import landlockpy
from landlockpy import AccessFS, LandlockError, RestrictFlag, Ruleset, Scope

# The first that bounds TCP, signals and abstract sockets too: Linux 6.12.
WHOLE_ABI: Final = 6


@cache
def abi() -> int:
    """The kernel's version of Landlock; 0 if there is none, or a container forbids it.

    Ask before the process is confined.
    """
    try:
        return landlockpy.abi_version()
    except LandlockError:
        return 0


def allow_only_reading() -> None:
    """Keep this thread, and those it starts, from changing files, from TCP and from others' memory.

    It must be the only thread, for kernels before ABI 8 restrict no other.
    """
    if abi():
        with Ruleset(scoped=Scope.ABSTRACT_UNIX_SOCKET | Scope.SIGNAL) as rules:
            rules.allow_path("/", AccessFS.READ_FILE | AccessFS.READ_DIR)
            rules.restrict()


def allow_no_file() -> None:
    """Keep this thread, and those it starts, from opening any file; older threads from ABI 8 on."""
    if abi():
        with Ruleset() as rules:
            rules.restrict(RestrictFlag.TSYNC)
