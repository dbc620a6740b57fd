"""A process from its first log line to its last: what it is, which version, that it stopped."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import structlog

from api.cli.version import nova_version

_log = structlog.get_logger(__name__)


@contextmanager
def logged_process(name: str, **facts: object) -> Iterator[None]:
    """Log that a process starts, with its version and these facts, and at the end that it stopped.

    A SIGTERM that nothing in the block handles ends the block, with exit code 0.
    """
    _log.info("starting", process=name, version=nova_version(), **facts)
    # uvicorn raises the signal again after it has drained: by default that would end the process.
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        _log.info("stopped", process=name)


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
