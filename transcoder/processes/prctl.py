"""What only Linux can be asked: to tie a process to its parent, and to hide its memory."""

import ctypes
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4


def die_with_parent() -> None:
    """Be killed when the process that started this one ends, however it ends."""
    _ask(_PR_SET_PDEATHSIG, signal.SIGKILL)


def hide_memory() -> None:
    """Keep other processes of the same user from reading this one's memory and environment."""
    _ask(_PR_SET_DUMPABLE, 0)


def _ask(option: int, argument: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, argument)
