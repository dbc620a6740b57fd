"""The heap: which freed memory glibc keeps for the next picture, and which it returns."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_int, c_size_t, c_void_p
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


class _MallInfo(ctypes.Structure):
    """`struct mallinfo2`; `hblks` counts the blocks outside of the heap."""

    _fields_ = tuple(
        (name, c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks")
    ) + tuple((name, c_size_t) for name in ("uordblks", "fordblks", "keepcost"))


def _functions() -> ctypes.CDLL:
    library = ctypes.CDLL(None)
    for name, result, *arguments in (
        ("mallinfo2", _MallInfo),
        ("malloc", c_void_p, c_size_t),
        ("free", None, c_void_p),
        ("mallopt", c_int, c_int, c_int),
        ("malloc_trim", c_int, c_size_t),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_IS_GLIBC: Final = hasattr(ctypes.CDLL(None), "mallinfo2")
_LIBC: Final = _functions() if _IS_GLIBC else ctypes.CDLL(None)


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

    Where a small block lies above it, a large free one stays in the heap. A plane of the picture
    that took it would not be returned when it is freed, so all of them are occupied meanwhile.
    """
    if needed <= _ROUTINE_BYTES:
        yield
        return
    _call("malloc_trim", 0)
    _call("mallopt", _M_MMAP_THRESHOLD, _RETURNED_BYTES)
    try:
        with _large_free_blocks_occupied():
            yield
    finally:
        _call("mallopt", _M_MMAP_THRESHOLD, _KEPT_BYTES)
        _call("malloc_trim", 0)


@contextmanager
def _large_free_blocks_occupied() -> Iterator[None]:
    """They take no memory, since nothing touches them."""
    occupied: list[int] = []
    size = _KEPT_BYTES
    while size >= _RETURNED_BYTES:
        block = _from_heap(size)
        if block is None:
            size //= 2
        else:
            occupied.append(block)
    try:
        yield
    finally:
        for block in occupied:
            _LIBC.free(block)


def _from_heap(size: int) -> int | None:
    """A block that was free in the heap; None if there is none of that size."""
    if not _IS_GLIBC:
        return None
    mapped = _LIBC.mallinfo2().hblks
    block: int | None = _LIBC.malloc(size)
    if block is not None and _LIBC.mallinfo2().hblks > mapped:
        _LIBC.free(block)
        return None
    return block


def _call(function: str, *arguments: int) -> None:
    if _IS_GLIBC:
        _LIBC[function](*arguments)
