"""The heap gives a large picture no block that it would keep."""

import subprocess
import sys

import pytest

# A free block lies below a small one, and a plane of the next picture would fit.
SCRIPT = """
import ctypes, sys

import psutil

from transcoder.processing.limits.heap import keep_freed_memory, room_for
from transcoder.rendering import MIB

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]


def taken():
    return psutil.Process().memory_info().rss // MIB


def plane(size):
    block = libc.malloc(size)
    ctypes.memset(block, 1, size)
    return block


keep_freed_memory()
kept, above = plane(100 * MIB), plane(MIB)
libc.free(kept)
before = taken()
with room_for(int(sys.argv[1]) * MIB):
    libc.free(plane(80 * MIB))
    print(before, taken())
again = plane(90 * MIB)
"""


def memory(needed: int) -> tuple[int, int]:
    shown = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(needed)], check=True, capture_output=True, text=True
    )
    before, after = map(int, shown.stdout.split())
    return before, after


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps memory in this way")
def test_a_large_picture_leaves_nothing_in_the_heap_while_it_is_rendered() -> None:
    before, after = memory(needed=300)
    assert after < before - 90


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps memory in this way")
def test_photos_of_phones_reuse_what_is_kept() -> None:
    before, after = memory(needed=200)
    assert abs(after - before) < 10
