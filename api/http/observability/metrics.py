"""Metrics of an API process: its requests, and the state of queue and projections."""

from collections.abc import Iterator
from typing import Final

import anyio
import psycopg
import structlog
from msgspec import Struct
from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from projections.connection import connected
from projections.follow.projection import PROJECTIONS
from projections.follow.status import Status, statuses
from projections.log.writing import is_writable
from transcoder.queue.connection_metrics import UncheckedCollector
from transcoder.queue.lanes import LaneState, lane_states, lanes_alive

DATABASE_WITHIN_SECONDS: Final = 3.0

REQUEST_SECONDS: Final = Histogram(
    "nova_http_request_seconds",
    "Seconds from the start of a request to the end of its response.",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

_log = structlog.get_logger(__name__)


class DatabaseCollector(UncheckedCollector):
    """Queue depth, worker lanes and projection lag, read from the database on every scrape."""

    def __init__(self, url: str) -> None:
        self._url = url

    def collect(self) -> Iterator[Metric]:
        """Collect all metrics, or `nova_database_up 0` alone while the database is unavailable."""
        try:
            state = anyio.run(_read_state, self._url)
        except (psycopg.Error, TimeoutError) as error:
            _log.warning("metrics_without_database", error=type(error).__name__)
            yield GaugeMetricFamily("nova_database_up", "Whether the database answers.", value=0)
            return
        yield GaugeMetricFamily("nova_database_up", "Whether the database answers.", value=1)
        yield GaugeMetricFamily(
            "nova_database_writable", "Whether the database takes writes.", value=state.is_writable
        )
        yield GaugeMetricFamily(
            "nova_worker_lanes",
            "Worker lanes with a recent heartbeat; four per worker.",
            value=state.lanes_alive,
        )
        yield from _queue_families(state.lanes)
        yield from _projection_families(state.projections)


class _State(Struct, frozen=True):
    is_writable: bool
    lanes: list[LaneState]
    lanes_alive: int
    projections: list[Status]


async def _read_state(url: str) -> _State:
    with anyio.fail_after(DATABASE_WITHIN_SECONDS):
        async with connected(url) as connection:
            return _State(
                await is_writable(connection),
                await lane_states(connection),
                await lanes_alive(connection),
                await statuses(connection, PROJECTIONS.values()),
            )


def _queue_families(lanes: list[LaneState]) -> Iterator[Metric]:
    jobs = GaugeMetricFamily(
        "nova_queue_jobs", "Jobs in the queue by state.", labels=["queue", "state"]
    )
    age = GaugeMetricFamily(
        "nova_queue_age_seconds", "Seconds since the oldest job became due.", labels=["queue"]
    )
    for lane in lanes:
        jobs.add_metric([lane.queue_name, "waiting"], lane.waiting)
        jobs.add_metric([lane.queue_name, "later"], lane.later)
        jobs.add_metric([lane.queue_name, "running"], lane.running)
        age.add_metric([lane.queue_name], lane.oldest_seconds)
    yield jobs
    yield age


def _projection_families(projections: list[Status]) -> Iterator[Metric]:
    lag = GaugeMetricFamily(
        "nova_projection_lag_events", "Events not yet projected.", labels=["projection"]
    )
    seconds = GaugeMetricFamily(
        "nova_projection_lag_seconds",
        "Age of the oldest event not yet projected.",
        labels=["projection"],
    )
    stopped = GaugeMetricFamily(
        "nova_projection_stopped",
        "Whether the projection has stopped at an event.",
        labels=["projection"],
    )
    runners = GaugeMetricFamily(
        "nova_projection_runners", "Whether a projector is active.", labels=["projection"]
    )
    for each in projections:
        lag.add_metric([each.projection], each.lag_events)
        seconds.add_metric([each.projection], each.lag_seconds)
        stopped.add_metric([each.projection], each.stopped_at is not None)
        runners.add_metric([each.projection], each.running_where is not None)
    yield from (lag, seconds, stopped, runners)
