"""Metrics of connection pools: how busy those of a process are, and who waits for them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

# What a pool of psycopg tells of itself.
Stats: TypeAlias = Callable[[], dict[str, int]]


@contextmanager
def measured(*collectors: Collector) -> Iterator[None]:
    """Show what these collect for as long as the block runs."""
    for collector in collectors:
        REGISTRY.register(collector)
    try:
        yield
    finally:
        for collector in collectors:
            REGISTRY.unregister(collector)


class Undescribed(Collector):
    """Is not asked what it will say, which it would have to ask others for."""

    def describe(self) -> Iterator[Metric]:
        """See `Collector.describe`."""
        return iter(())


class PoolCollector(Undescribed):
    """Each pool under the name of what it is for."""

    def __init__(self, pools: Mapping[str, Stats]) -> None:
        self._pools = pools

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`."""
        connections = GaugeMetricFamily(
            "nova_db_pool_connections", "Connections to the database.", labels=["pool", "state"]
        )
        waiting = GaugeMetricFamily(
            "nova_db_pool_waiting", "Who waits for a connection.", labels=["pool"]
        )
        for name, stats in self._pools.items():
            told = stats()
            open_now, idle = told.get("pool_size", 0), told.get("pool_available", 0)
            connections.add_metric([name, "idle"], idle)
            connections.add_metric([name, "busy"], open_now - idle)
            waiting.add_metric([name], told.get("requests_waiting", 0))
        yield connections
        yield waiting
