"""Telemetry: the metrics endpoint of a process, beside it its readiness, and its traces.

A trace id is the correlation id of the request that started it, which its response, events and log
lines carry as well.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, TypeAlias

import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import SpanKind
from prometheus_client import start_http_server

from domain.events import Event, topic_of
from domain.settings import TelemetrySettings
from domain.trace_ids import span_id_of

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# Why a process cannot do its work now; None if it can. Called in threads, and may block.
WhyNotReady: TypeAlias = Callable[[], str | None]
# Trace id and span id of the next span, where they are not random.
Ids: TypeAlias = tuple[int | None, int | None]

_next_ids: Final[ContextVar[Ids]] = ContextVar("next_ids", default=(None, None))
_log = structlog.get_logger(__name__)
_tracer = trace.get_tracer(__name__)


def start_telemetry(
    process: str, settings: TelemetrySettings, *, why_not_ready: WhyNotReady | None = None
) -> None:
    """Serve metrics and send traces, each if configured.

    With `why_not_ready`, `/ready` beside the metrics answers 200, or 503 with the reason.

    Raises:
        OSError: the metrics port is taken.
    """
    if settings.metrics_port is not None:
        server, _ = start_http_server(settings.metrics_port, addr=settings.metrics_host)
        if why_not_ready is not None:
            server.set_app(_with_readiness(server.get_app(), why_not_ready))
        _log.info("serving_metrics", host=settings.metrics_host, port=settings.metrics_port)
    if settings.otlp_endpoint is not None:
        _send_traces(process, settings.otlp_endpoint)


def _with_readiness(
    metrics: "WSGIApplication | None", why_not_ready: WhyNotReady
) -> "WSGIApplication":
    assert metrics is not None  # noqa: S101 - the server was started with it

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/ready":
            return metrics(environ, start_response)
        reason = why_not_ready()
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
        start_response("503 Service Unavailable" if reason else "200 OK", headers)
        return [f"{reason or 'ready'}\n".encode()]

    return app


@contextmanager
def span_ids(*, trace_id: int | None = None, span_id: int | None = None) -> Iterator[None]:
    """Give these ids to the spans that start inside."""
    token = _next_ids.set((trace_id, span_id))
    try:
        yield
    finally:
        _next_ids.reset(token)


def trace_appends(events: Iterable[Event], *, started: int) -> None:
    """Record a span per appended event, from `started` (ns); the span of its job is its child."""
    for event in events:
        with span_ids(span_id=span_id_of(event.event_id)):
            span = _tracer.start_span(topic_of(event), kind=SpanKind.PRODUCER, start_time=started)
        span.set_attribute("nova.post_id", str(event.post_id))
        span.end()


class PinnedIds(IdGenerator):
    """Pinned ids where `span_ids` sets them, random ones otherwise."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()

    def generate_trace_id(self) -> int:
        """The pinned trace id, or a random one."""
        return _next_ids.get()[0] or self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        """The pinned span id, or a random one."""
        return _next_ids.get()[1] or self._random.generate_span_id()


def _send_traces(process: str, endpoint: str) -> None:
    # Importing these takes 0.1 s, so only processes that send traces do.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    resource = Resource.create({"service.namespace": "nova", "service.name": f"nova-{process}"})
    provider = TracerProvider(resource=resource, id_generator=PinnedIds())
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
