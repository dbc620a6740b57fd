"""Metrics of a projector process: what it has projected, and whether it is the active one."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

EVENTS: Final = Counter("nova_projection_events", "Events projected here.", ["projection"])
BATCH_SECONDS: Final = Histogram(
    "nova_projection_batch_seconds",
    "Seconds of a batch.",
    ["projection"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
ACTIVE: Final = Gauge("nova_projection_active", "Whether it is the active one.", ["projection"])
STOPS: Final = Counter("nova_projection_stops", "Events that stopped it.", ["projection"])
