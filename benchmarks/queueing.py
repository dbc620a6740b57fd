"""Queueing: how long photos take from arrival to end, simulated from arrivals and service alone.

First come first served, by any number of workers: what an open load test measures when nothing
else gets in the way.
"""

from collections.abc import Sequence
from statistics import mean

import simpy
from msgspec import Struct
from simpy.events import ProcessGenerator


class Stay(Struct, frozen=True, kw_only=True):
    """Seconds from arrival to end."""

    mean: float
    p90: float


def simulate(arrivals: Sequence[float], *, service_seconds: float, workers: int) -> Stay:
    """Let photos arrive at the given instants, each of which takes a worker so long."""
    world = simpy.Environment()
    free = simpy.Resource(world, capacity=workers)
    stays: list[float] = []

    def photo() -> ProcessGenerator:
        arrived_at = world.now
        with free.request() as turn:
            yield turn
            yield world.timeout(service_seconds)
        stays.append(world.now - arrived_at)

    def people() -> ProcessGenerator:
        for instant in sorted(arrivals):
            yield world.timeout(instant - world.now)
            world.process(photo())

    world.process(people())
    world.run()
    return stay_of(stays)


def stay_of(stays: Sequence[float]) -> Stay:
    """The same figures of stays, measured or simulated."""
    ordered = sorted(stays)
    return Stay(mean=mean(stays), p90=ordered[int(0.9 * len(ordered))])
