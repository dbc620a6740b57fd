"""Trace ids: OpenTelemetry ids derived from the ids of requests and events."""

from typing import Final
from uuid import UUID

_SPAN_BITS: Final = 64


def trace_id_of(correlation_id: UUID) -> int:
    """128 bits: one trace for everything that one request led to."""
    return correlation_id.int


def span_id_of(event_id: UUID) -> int:
    """64 bits: the span in which an event was appended, parent of what it caused."""
    return event_id.int & ((1 << _SPAN_BITS) - 1)
