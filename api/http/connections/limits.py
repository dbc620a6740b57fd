"""Limits of connections: numbers of the settings, within what the process may open."""

import resource
from typing import Final

import structlog
from msgspec import Struct

from api.settings import ConnectionSettings

# As nginx, Apache and Go: more than any client needs, and parsed in under a millisecond.
HEAD_BYTES: Final = 16 * 1024
HEADERS: Final = 100
# Requests are small JSON documents; photos go to the object store directly.
BODY_BYTES: Final = 64 * 1024
# Chunk sizes and trailers: six times the body, if every byte of it is a chunk.
OVERHEAD_BYTES: Final = 512 * 1024
# Requests that a client may send ahead, before it has read the response to the first.
PIPELINED: Final = 16
# Descriptors for connections to PostgreSQL and the object store, logs, the listening socket.
RESERVED_DESCRIPTORS: Final = 128

_log = structlog.get_logger(__name__)


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """What one process serves: connections in all and per address, and seconds for each phase."""

    at_most: int
    per_address: int
    head_seconds: float
    body_seconds: float
    unread_seconds: float


def limits_within(settings: ConnectionSettings) -> ConnectionLimits:
    """The limits of the settings, within the limit of open files of the process.

    Raises the soft limit as far as the hard one allows.
    """
    at_most = _serve_at_most(settings.at_most)
    if at_most < settings.at_most:
        _log.warning("connections_limited", wanted=settings.at_most, limit=at_most)
    return ConnectionLimits(
        at_most=at_most,
        per_address=min(settings.per_address, at_most),
        head_seconds=settings.head_seconds,
        body_seconds=settings.body_seconds,
        unread_seconds=settings.unread_seconds,
    )


def _serve_at_most(wanted: int) -> int:
    needed = wanted + RESERVED_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    available = wanted if soft == resource.RLIM_INFINITY else soft - RESERVED_DESCRIPTORS
    return max(1, min(wanted, available))
