"""Metrics of connection pools: how many connections are busy, and how many requests are waiting."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

# The statistics of a psycopg connection pool.
Stats: TypeAlias = Callable[[], dict[str, int]]


@contextmanager
def register_collectors(*collectors: Collector) -> Iterator[None]:
    """Export the metrics of these collectors while the block runs."""
    for collector in collectors:
        REGISTRY.register(collector)
    try:
        yield
    finally:
        for collector in collectors:
            REGISTRY.unregister(collector)


class UncheckedCollector(Collector):
    """Not checked for duplicate names when it is registered: that would collect its metrics."""

    def describe(self) -> Iterator[Metric]:
        """See `Collector.describe`."""
        return iter(())


class ConnectionPoolCollector(UncheckedCollector):
    """The connection pools of a process, each under its name."""

    def __init__(self, pools: Mapping[str, Stats]) -> None:
        self._pools = pools

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`."""
        connections = GaugeMetricFamily(
            "nova_db_pool_connections", "Connections to the database.", labels=["pool", "state"]
        )
        waiting = GaugeMetricFamily(
            "nova_db_pool_waiting", "Requests that are waiting for a connection.", labels=["pool"]
        )
        for name, stats in self._pools.items():
            counts = stats()
            open_now, idle = counts.get("pool_size", 0), counts.get("pool_available", 0)
            connections.add_metric([name, "idle"], idle)
            connections.add_metric([name, "busy"], open_now - idle)
            waiting.add_metric([name], counts.get("requests_waiting", 0))
        yield connections
        yield waiting
