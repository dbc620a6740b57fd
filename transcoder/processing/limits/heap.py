"""The heap: which freed memory glibc keeps for the next picture, and which it returns."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from transcoder.rendering import MIB

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
# What the photos of phones take.
_KEPT_BYTES: Final = 128 * MIB
# Half of the budget: up to this, a picture fits beside what is kept.
_ROUTINE_BYTES: Final = 256 * MIB
# Above the buffers that libvips allocates for every few rows.
_RETURNED_BYTES: Final = 4 * MIB


def keep_freed_memory() -> None:
    """Keep freed memory: page faults would cost a phone's photo as much as its decoding.

    Use one arena: each thread that allocates would reserve 64 MiB or more of the limited address
    space, and the second picture of 50 megapixels would run out of it.
    """
    _call("mallopt", _M_ARENA_MAX, 1)
    _call("mallopt", _M_MMAP_THRESHOLD, _KEPT_BYTES)
    _call("mallopt", _M_TRIM_THRESHOLD, _KEPT_BYTES)


@contextmanager
def room_for(needed: int) -> Iterator[None]:
    """Return freed memory at once while a picture needs `needed` bytes; small ones reuse it.

    The memory of a large picture would come on top of what is kept. And a kept block is cleared
    before it is reused, so that it counts even if the decoder never touches it.
    """
    if needed <= _ROUTINE_BYTES:
        yield
        return
    _call("malloc_trim", 0)
    _call("mallopt", _M_MMAP_THRESHOLD, _RETURNED_BYTES)
    try:
        yield
    finally:
        _call("mallopt", _M_MMAP_THRESHOLD, _KEPT_BYTES)
        _call("malloc_trim", 0)


def _call(function: str, *arguments: int) -> None:
    # Only glibc has them.
    found = getattr(ctypes.CDLL(None), function, None)
    if found is not None:
        found(*arguments)
