"""How long posts wait: beside a simulation of the same arrivals, and beside bulk work."""

import os
import random
import time
from datetime import UTC, datetime
from statistics import median
from typing import Final
from uuid import UUID, uuid4

import anyio
import psycopg
import pytest
from anyio import to_thread

from api.stack.local import LocalStack
from benchmarks.load_clients import Clients, Opened
from benchmarks.load_measures import photos_per_second, published_span
from benchmarks.queueing import simulate, stay_of
from domain.commands import ConfirmUpload, origin_of_request
from domain.event_store.publishing import Publishing

pytestmark = pytest.mark.anyio

WORKERS: Final = os.cpu_count() or 1
# By how much a measured mean and a simulated one may differ, on a machine that is shared.
# A bulk picture that has begun shares the cores, and takes no slot.
BULK_COSTS_TIMES: Final = 1.5
AGREEMENT: Final = 1.5
ASK_AGAIN_SECONDS: Final = 0.005

_STAYS = """
SELECT extract(epoch FROM min(event_recorded_at(state)))::float8,
       extract(epoch FROM max(event_recorded_at(state)))::float8
FROM post_events
WHERE topic IN ('post.uploaded', 'post.published') AND originator_id = ANY (%s::uuid[])
GROUP BY originator_id
"""


@pytest.mark.parametrize("utilisation", [0.5, 0.7, 0.85])
async def test_posts_take_as_long_as_queueing_says(
    stack: LocalStack, clients: Clients, large_photo: bytes, is_measuring: bool, utilisation: float
) -> None:
    number = 100 if is_measuring else 3
    capacity, _ = await photos_per_second(stack, clients, large_photo, number // 3 + 1)
    opened = [await clients.send(large_photo) for _ in range(number)]
    async with anyio.create_task_group() as tasks:
        for one in opened:
            tasks.start_soon(clients.complete, one)
            await anyio.sleep(random.expovariate(utilisation * capacity))
    while published_span(stack, opened)[1] < number:
        await anyio.sleep(0.3)
    arrivals, stays = arrivals_and_stays(stack, opened)
    measured = stay_of(stays)
    simulated = simulate(arrivals, service_seconds=WORKERS / capacity, workers=WORKERS)
    print(
        f"\noffered {utilisation:.0%} of {capacity:.1f} photos/s: measured mean "
        f"{1000 * measured.mean:.0f}, p90 {1000 * measured.p90:.0f} ms; simulated mean "
        f"{1000 * simulated.mean:.0f}, p90 {1000 * simulated.p90:.0f} ms"
    )
    if is_measuring:
        assert 1 / AGREEMENT <= measured.mean / simulated.mean <= AGREEMENT


def arrivals_and_stays(stack: LocalStack, opened: list[Opened]) -> tuple[list[float], list[float]]:
    """When photos were completed, in seconds after the first, and how long until published."""
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        found = connection.execute(_STAYS, [[one.post_id for one in opened]]).fetchall()
    first = min(row[0] for row in found)
    return [row[0] - first for row in found], [row[1] - row[0] for row in found]


async def test_bulk_work_costs_live_posts_little(
    stack: LocalStack, clients: Clients, large_photo: bytes, is_measuring: bool
) -> None:
    rounds, number = (3, 10) if is_measuring else (1, 2)
    alone: list[float] = []
    beside: list[float] = []
    with Publishing(stack.environ["DATABASE_URL"], pool_size=1) as publishing:
        for _ in range(rounds):
            alone += await live_posts(clients, large_photo, number)
            bulk = [await clients.send(large_photo) for _ in range(3 * number)]
            for one in bulk:
                await to_thread.run_sync(complete_in_bulk, publishing, one)
            beside += await live_posts(clients, large_photo, number)
            assert published_span(stack, bulk)[1] < len(bulk)
            while published_span(stack, bulk)[1] < len(bulk):
                await anyio.sleep(0.3)
    print(
        f"\ncomplete to published, p50: alone {1000 * median(alone):.0f} ms, "
        f"beside bulk work {1000 * median(beside):.0f} ms ({median(beside) / median(alone):.2f})"
    )
    if is_measuring:
        assert median(beside) <= BULK_COSTS_TIMES * median(alone)


async def live_posts(clients: Clients, photo: bytes, number: int) -> list[float]:
    """Post after post: seconds from complete to published."""
    seconds = []
    for _ in range(number):
        opened = await clients.send(photo)
        started = time.perf_counter()
        await clients.complete(opened)
        await clients.final(opened.post_id, every_seconds=ASK_AGAIN_SECONDS)
        seconds.append(time.perf_counter() - started)
    return seconds


def complete_in_bulk(publishing: Publishing, opened: Opened) -> None:
    """What an operator may do: the work goes to the bulk lane."""
    origin = origin_of_request(actor="cli:benchmark", at=datetime.now(UTC), correlation_id=uuid4())
    command = ConfirmUpload(origin=origin, post_id=UUID(opened.post_id))
    publishing.execute(command, lane="bulk")
