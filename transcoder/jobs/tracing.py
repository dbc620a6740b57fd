"""Tracing: an attempt is a span below the event that caused it, in the trace of the request."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from domain.trace_ids import span_id_of, trace_id_of
from transcoder.jobs.work import Work

tracer = trace.get_tracer(__name__)


@contextmanager
def attempt_span(name: str, work: Work) -> Iterator[None]:
    """The span of one attempt, for as long as the block runs."""
    cause = SpanContext(
        trace_id=trace_id_of(work.correlation_id),
        span_id=span_id_of(work.causation_id),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    with tracer.start_as_current_span(
        name,
        context=trace.set_span_in_context(NonRecordingSpan(cause)),
        kind=SpanKind.CONSUMER,
        attributes={"nova.post_id": str(work.post_id), "nova.attempt": work.attempt},
    ):
        yield
