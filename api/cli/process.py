"""A process from its first log line to its last: what it is, which version, that it stopped."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

import structlog

from api.cli.version import nova_version

_log = structlog.get_logger(__name__)


@contextmanager
def logged_process(name: str, **facts: object) -> Iterator[None]:
    """Log that a process starts, with its version and these facts, and at the end that it stopped.

    A SIGTERM before the block handles signals itself ends the process at once, with exit code 0.
    """
    _log.info("starting", process=name, version=nova_version(), **facts)
    signal.signal(signal.SIGTERM, partial(_end, name))
    try:
        yield
    finally:
        _log.info("stopped", process=name)


def _end(name: str, _signal: int, _frame: FrameType | None) -> None:
    # Nothing is open yet that has to be closed. An exception would be raised wherever the signal
    # comes: from a finalizer or while a module is imported, Python prints and ignores it.
    with suppress(RuntimeError):  # the signal came in the middle of another log line
        _log.info("stopped", process=name)
        sys.stderr.flush()
    os._exit(0)
