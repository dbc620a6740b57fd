"""Middleware that measures, traces and adds log context to every request."""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from litestar.types import ASGIApp, Receive, Scope, Send
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from structlog.contextvars import bind_contextvars

from api.http.observability.correlation import correlation_id_of_scope, status_of_scope
from api.http.observability.metrics import REQUEST_SECONDS
from api.telemetry import span_ids
from domain.trace_ids import trace_id_of

# All unknown paths share one label, so that scanning for paths creates no time series.
NO_ROUTE: Final = "none"
# Litestar types the scope type as an enumeration, but servers send a string.
_HTTP: Final[tuple[str, ...]] = ("http",)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_tracer = trace.get_tracer(__name__)


class ObservabilityMiddleware:
    """ASGI middleware around the application."""

    def __init__(self, app: ASGIApp, *, traced: bool) -> None:
        self._app = app
        self._serve = self._serve_traced if traced else app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve and measure one request."""
        if scope["type"] not in _HTTP:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        # The server runs every request in its own context, so there is no need to unbind.
        bind_contextvars(correlation_id=str(correlation_id_of_scope(scope)))
        try:
            await self._serve(scope, receive, send)
        finally:
            observe = _observe(method_of(scope), route_of(scope), status_of_scope(scope))
            observe(time.perf_counter() - started)

    async def _serve_traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        trace_id = trace_id_of(correlation_id_of_scope(scope))
        with span_ids(trace_id=trace_id):
            span = _tracer.start_span(method_of(scope), kind=SpanKind.SERVER)
        with trace.use_span(span, end_on_exit=True):
            await self._app(scope, receive, send)
            span.update_name(f"{method_of(scope)} {route_of(scope)}")
            span.set_attribute("http.response.status_code", status_of_scope(scope))


@lru_cache(maxsize=1024)
def _observe(method: str, route: str, status: int) -> Callable[[float], None]:
    """The histogram child for these labels, cached: looking it up costs more than observing."""
    observe: Callable[[float], None] = REQUEST_SECONDS.labels(method, route, status).observe
    return observe


def route_of(scope: Any) -> str:  # noqa: ANN401 - Litestar's scopes of all kinds
    """The path template of the route, such as `/api/v1/posts/{post_id}`."""
    return scope.get("path_template") or NO_ROUTE


def method_of(scope: Any) -> str:  # noqa: ANN401 - as above
    """The method, or `other` for an unknown one, so that clients cannot create time series."""
    method: str = scope["method"]
    return method if method in _METHODS else "other"
