"""Correlation: one id for a request, its response, its log line and everything it causes.

A library such as asgi-correlation-id would parse all headers of every request; this reads one.
"""

from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from litestar.connection import ASGIConnection
from litestar.types import Message, Scope

HEADER: Final = "X-Correlation-ID"
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
FIRST_ERROR: Final = 400
_RAW_HEADER: Final = HEADER.lower().encode()
_STATE: Final = "correlation_id"
_STATUS: Final = "status"

_log = structlog.get_logger(__name__)


def correlation_id_of_scope(scope: Any) -> UUID:  # noqa: ANN401 - scopes of servers and of Litestar
    """The correlation id of a request, for middleware outside the application."""
    chosen: UUID | None = scope.setdefault("state", {}).get(_STATE)
    if chosen is None:
        chosen = scope["state"][_STATE] = _given(scope) or uuid4()
    return chosen


def status_of_scope(scope: Any) -> int:  # noqa: ANN401 - as above
    """The status of the response; 500 if there was none."""
    status: int = scope["state"].get(_STATUS, 500)
    return status


def correlation_id_of(connection: ASGIConnection[Any, Any, Any, Any]) -> UUID:
    """The client's `X-Correlation-ID` if it is a UUID, or else a new one, kept for the request."""
    return correlation_id_of_scope(connection.scope)


async def add_correlation_id(message: Message, scope: Scope) -> None:
    """Add the correlation id to a response before it is sent, and log the request.

    Successful reads are counted but not logged, because apps poll.
    """
    if message["type"] != "http.response.start":
        return
    correlation_id = str(correlation_id_of_scope(scope))
    message["headers"] = [*message["headers"], (_RAW_HEADER, correlation_id.encode())]
    status = int(message["status"])
    scope["state"][_STATUS] = status
    if status < FIRST_ERROR and _method(scope) in READS:
        return
    _log.info(
        "request",
        method=_method(scope),
        path=scope["path"],
        status=status,
        correlation_id=correlation_id,
    )


def _method(scope: Any) -> str:  # noqa: ANN401 - as above
    return str(scope["method"])


def _given(scope: Scope) -> UUID | None:
    # Servers send header names in lower case. Litestar's mapping of all headers costs more.
    for name, value in scope["headers"]:
        if name == _RAW_HEADER:
            try:
                return UUID(value.decode("ascii"))
            except ValueError:
                return None
    return None
