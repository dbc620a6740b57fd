"""The sandbox: the rights an image process drops before it reads untrusted bytes."""

import os
import resource
from typing import Final

import cv2
import pyvips

from transcoder.processing.limits.heap import keep_freed_memory
from transcoder.rendering import Limits

LOADERS: Final = ("VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadWebp")
HEIF_LOADER: Final = "VipsForeignLoadHeif"
# There is one process per core.
THREADS: Final = 1
_BLOCKED: Final = True
_NICENESS: Final = 10


def enter_sandbox(limits: Limits) -> None:
    """Limit this process irrevocably; repeating it changes nothing."""
    _allow_only_our_loaders(heif=limits.heif)
    _stay_in_one_thread()
    keep_freed_memory()
    _limit_resources(limits)


def give_way() -> None:
    """Let the API, the worker and the servers go first: pictures take the remaining CPU.

    Not while the process starts: on a busy machine that would take minutes.
    """
    os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)


def limit_cpu(limits: Limits) -> None:
    """Limit the CPU seconds of the next picture, in case the pool is gone.

    The pool's deadline comes first and names the cause, even if libheif uses two cores until then.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + 2 * limits.killed_after_seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def _allow_only_our_loaders(*, heif: bool) -> None:
    # libvips' own block of untrusted loaders leaves TIFF, GIF and others open, so block them all.
    pyvips.operation_block_set("VipsForeignLoad", _BLOCKED)
    for loader in LOADERS:
        pyvips.operation_block_set(loader, not _BLOCKED)
    pyvips.operation_block_set(HEIF_LOADER, not heif)
    # No operation repeats from one picture to the next, and the cache doubles the memory.
    pyvips.cache_set_max(0)


def _stay_in_one_thread() -> None:
    pyvips.voperation.concurrency_set(THREADS)
    cv2.setNumThreads(THREADS)


def _limit_resources(limits: Limits) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, limits.address_space_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
