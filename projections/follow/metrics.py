"""Metrics of a projector process: the events it projected, and whether it leads."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

EVENTS: Final = Counter("nova_projection_events", "Events projected here.", ["projection"])
BATCH_SECONDS: Final = Histogram(
    "nova_projection_batch_seconds",
    "Seconds per batch.",
    ["projection"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
ACTIVE: Final = Gauge("nova_projection_active", "1 while this process leads.", ["projection"])
STOPS: Final = Counter("nova_projection_stops", "Events that stopped it.", ["projection"])
