"""HTTP/1.1 of uvicorn, within limits: deadlines, bytes of head and body, unread responses.

A request reaches the application when it is complete, so a client that hangs up or stalls in the
middle of one costs neither a task nor an error. Only a body above the limit is passed on at once,
for the application to refuse.
"""

import asyncio
import socket
import struct
from math import inf
from typing import Any, Final

import uvicorn
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from api.http.connections.limits import (
    BODY_BYTES,
    HEAD_BYTES,
    HEADERS,
    OVERHEAD_BYTES,
    PIPELINED,
)
from api.http.connections.open_connections import CLOSED, OpenConnections, network_of
from api.http.connections.refusals import reason_of, refusal
from api.http.errors import (
    ApiError,
    HeadTooLarge,
    MalformedRequest,
    RequestTooSlow,
    TooManyConnections,
)

# How many Host headers a request of each version may have (RFC 9112, section 3.2).
_HOSTS: Final = {"1.1": (1,), "1.0": (0, 1)}
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class BoundedConfig(uvicorn.Config):
    """uvicorn's configuration, with the connections that its protocol counts."""

    open_connections: OpenConnections


class BoundedProtocol(HttpToolsProtocol):
    """One connection. It waits for a request, reads its head, its body, and sends a response."""

    config: BoundedConfig

    def __init__(
        self,
        config: BoundedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.network = ""
        self._open = config.open_connections
        self._limits = self._open.limits
        self._reads_head = False
        self._reads_body = False
        self._is_busy = False
        self._head_bytes = 0
        self._unfinished_bytes = 0
        self._overhead_bytes = 0
        self._hosts = 0
        # The request whose body is incomplete.
        self._held: tuple[RequestResponseCycle, ASGI3Application] | None = None
        self._refused: ApiError | None = None
        # In seconds of the event loop: for the request, to read the response, to close.
        self._complete_by = inf
        self._read_by = inf
        self._closed_by = inf

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request, if there is room."""
        super().connection_made(transport)
        self.network = network_of(self.client[0]) if self.client else ""
        self._complete_by = self.loop.time() + self._limits.head_seconds
        if not self._open.add(self):
            self._refuse(TooManyConnections())

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._held = None
        self._open.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request, in pieces that no head is longer than."""
        for start in range(0, len(data), HEAD_BYTES):
            if not self.transport.is_closing():
                self._read(data if len(data) <= HEAD_BYTES else data[start : start + HEAD_BYTES])

    def _read(self, data: bytes) -> None:
        continues_head = self._reads_head
        if self._reads_body:
            self._overhead_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if continues_head and self._reads_head:
            # The parser keeps an unfinished header; it tells of it when it is complete.
            self._unfinished_bytes += len(data)
        self._check_size()
        if self._complete_by == inf:
            self._start_deadline()

    def _check_size(self) -> None:
        if self._reads_head and self._unfinished_bytes > HEAD_BYTES:
            self._refuse(_head_too_large())
        elif self._reads_body and self._overhead_bytes > OVERHEAD_BYTES:
            self._refuse(MalformedRequest())
        elif self._held is not None:
            self._pass_on_or_continue(self._held[0])

    def _pass_on_or_continue(self, cycle: RequestResponseCycle) -> None:
        lengths = (int(value) for name, value in self.headers if name == b"content-length")
        announced = next(lengths, 0)
        if max(announced, len(cycle.body)) > BODY_BYTES:
            self._pass_on()
        elif cycle.waiting_for_100_continue:
            cycle.waiting_for_100_continue = False
            self.transport.write(_CONTINUE)

    def _start_deadline(self) -> None:
        if self._reads_body:
            self._complete_by = self.loop.time() + self._limits.body_seconds
        elif self._reads_head or not self._is_busy:
            self._complete_by = self.loop.time() + self._limits.head_seconds

    # What the parser finds, in this order.

    def on_message_begin(self) -> None:
        """Start a request."""
        super().on_message_begin()
        self._reads_head = True
        self._head_bytes = self._unfinished_bytes = self._hosts = 0

    def on_url(self, url: bytes) -> None:
        """Read a part of the target."""
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read a header; those behind a body (trailers) are dropped."""
        self._count_head(len(name) + len(value) + len(": \r\n"))
        if not self._reads_head:
            return
        if len(self.headers) == HEADERS:
            raise self._refusing(_head_too_large())
        super().on_header(name, value)
        if self.headers[-1][0] == b"host":
            self._hosts += 1

    def on_headers_complete(self) -> None:
        """Create the request."""
        assert self.parser is not None  # noqa: S101 - narrows the type
        hosts = _HOSTS.get(self.parser.get_http_version(), ())
        if self._hosts not in hosts or len(self.pipeline) == PIPELINED:
            raise self._refusing(MalformedRequest())
        self._reads_head = False
        self._reads_body = True
        self._overhead_bytes = 0
        self._complete_by = inf
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Read a part of the body."""
        self._overhead_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Pass the request on."""
        self._reads_body = False
        self._complete_by = inf
        super().on_message_complete()
        if self._held is not None:
            self._pass_on()

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES:
            raise self._refusing(_head_too_large())

    # The application's part.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._held = cycle, app
        if not cycle.more_body:
            self._pass_on()

    def _pass_on(self) -> None:
        assert self._held is not None  # noqa: S101 - narrows the type
        cycle, app = self._held
        self._held = None
        self._is_busy = True
        self._open.set_busy(self)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Wait for the next request, unless the client has sent it already."""
        self._is_busy = False
        super().on_response_complete()
        if not self._is_busy and not self.transport.is_closing():
            self._open.set_waiting(self)

    def pause_writing(self) -> None:
        """Start to wait for a client that does not read its response."""
        super().pause_writing()
        self._read_by = self.loop.time() + self._limits.unread_seconds

    def resume_writing(self) -> None:
        """Stop waiting: it reads."""
        super().resume_writing()
        self._read_by = inf

    # How a connection ends.

    def give_way(self) -> None:
        """Close at once, for another connection."""
        self.transport.abort()

    def shutdown(self) -> None:
        """Finish the request in progress, but wait for no other; overrides uvicorn."""
        if self._held is None:
            super().shutdown()
        else:
            self.transport.close()

    def close_if_overdue(self, now: float) -> None:
        """Close if a deadline is over."""
        if self.transport.is_closing():
            # Closing waits until the client has read what was sent.
            self._closed_by = min(self._closed_by, now + self._limits.unread_seconds)
        if now >= min(self._read_by, self._closed_by):
            self._abort("unread")
        elif now >= self._complete_by and not self.transport.is_closing():
            self._time_out()

    def _time_out(self) -> None:
        if self._reads_head or self._held is not None:
            self._refuse(RequestTooSlow())
        else:
            CLOSED.labels("silent").inc()
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser or a limit refused; overrides uvicorn's plain text."""
        del msg
        self._refuse(self._refused or MalformedRequest())

    def _refusing(self, error: ApiError) -> ApiError:
        # The parser raises an error of its own for any that its callbacks raise.
        self._refused = error
        return error

    def _refuse(self, error: ApiError) -> None:
        reason = reason_of(error)
        if self._is_busy:
            # An earlier response is on its way: nothing may come in between.
            self._abort(reason)
            return
        CLOSED.labels(reason).inc()
        self._held = None
        self.transport.write(refusal(error))
        self.transport.close()

    def _abort(self, reason: str) -> None:
        CLOSED.labels(reason).inc()
        # The kernel, too, forgets at once what the client has not read.
        own: socket.socket = self.transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def _head_too_large() -> HeadTooLarge:
    return HeadTooLarge(limit_bytes=HEAD_BYTES, limit_headers=HEADERS)
