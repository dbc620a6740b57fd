"""Load on the real stack: throughput, latency, back-pressure, and what the parts cost.

Without `--benchmark-enable` everything runs small and asserts no speed.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import anyio
import pytest
from anyio.from_thread import BlockingPortal
from msgspec.structs import replace

from api.stack.local import LocalStack, local_stack
from benchmarks.load_clients import REFUSED, ROOM, Clients, clients_of, p99, percentiles
from benchmarks.load_measures import bare_photos_per_second, cost, photos_per_second
from benchmarks.load_plot import draw_load
from benchmarks.load_publishing import publish_side_by_side
from benchmarks.load_watch import Look, Watch, watching
from tests.servers import temporary_stack_folder
from transcoder.processes.pool import RenderPool
from transcoder.rendering import Limits

pytestmark = pytest.mark.anyio

WORKERS: Final = os.cpu_count() or 1
MODEST_WORKERS: Final = max(1, WORKERS - 1)
THROUGHPUT_SHARE: Final = 0.85
IDLE_P50_TIMES: Final = 1.3
IDLE_P99_TIMES: Final = 3.0
SATURATED_CLIENTS: Final = 50
SATURATED_SECONDS: Final = 20.0
# So many that they outlast these seconds.
SATURATING_PHOTOS: Final = 240
# Of the idle API's own p99, in the same run.
SATURATED_P99_TIMES: Final = 5.0
IDLE_UPLOADS: Final = 100
BETWEEN_UPLOADS_SECONDS: Final = 5.0
# What is measured alone may be asked for as often as the answer should be exact.
IDLE_ASK_AGAIN_SECONDS: Final = 0.005
PLOT: Final = Path(".benchmarks") / "load.png"


@pytest.fixture
def modest_stack(portal: BlockingPortal) -> Iterator[LocalStack]:
    """A stack whose worker leaves a core to the database, the object store and whoever asks."""
    with stack_with(portal, WORKER_CONCURRENCY=MODEST_WORKERS, JOB_QUEUE_CAPACITY=ROOM) as stack:
        yield stack


@pytest.fixture
def roomy_stack(portal: BlockingPortal) -> Iterator[LocalStack]:
    """A stack whose queue takes more photos than its workers get through in a while."""
    with stack_with(portal, JOB_QUEUE_CAPACITY=ROOM) as stack:
        yield stack


@contextmanager
def stack_with(portal: BlockingPortal, **settings: int) -> Iterator[LocalStack]:
    """A stack of its own with these settings."""
    environ = {"LIMITS": "false", **{name: str(value) for name, value in settings.items()}}
    with temporary_stack_folder() as folder:
        starting = local_stack(folder=folder, port=None, environ=environ, report=print)
        with portal.wrap_async_context_manager(starting) as stack:
            yield stack


async def test_throughput_with_large_photos_is_nearly_that_of_the_bare_pipeline(
    modest_stack: LocalStack, large_photo: bytes, is_measuring: bool
) -> None:
    number, rounds = (30, 5) if is_measuring else (3, 1)
    shares = []
    async with clients_of(modest_stack) as clients:
        for _ in range(rounds):
            bare = await bare_photos_per_second(large_photo, number, workers=MODEST_WORKERS)
            whole, watch = await photos_per_second(modest_stack, clients, large_photo, number)
            shares.append(whole / bare)
            print(f"\n12 megapixels: bare {bare:.2f}, whole {whole:.2f} photos/s; {cost(watch)}")
    print(f"share of the bare pipeline's throughput: {median(shares):.2f}")
    if is_measuring:
        assert median(shares) >= THROUGHPUT_SHARE


async def test_an_idle_stack_publishes_a_photo_in_little_more_than_its_pipeline_takes(
    clients: Clients, large_photo: bytes, is_measuring: bool
) -> None:
    number = 30 if is_measuring else 2
    bare, whole = [], []
    pool = RenderPool(size=1, limits=Limits())
    await pool.warm()
    for _ in range(number):
        started = time.perf_counter()
        await pool.render(large_photo, content_type="image/jpeg")
        bare.append(time.perf_counter() - started)
        opened = await clients.send(large_photo)
        started = time.perf_counter()
        await clients.complete(opened)
        await clients.final(opened.post_id, every_seconds=IDLE_ASK_AGAIN_SECONDS)
        whole.append(time.perf_counter() - started)
        await anyio.sleep(0.1)
    times, tail = median(whole) / median(bare), p99(whole) / median(bare)
    print(f"\nidle: bare {percentiles(bare)}; complete to published {percentiles(whole)}")
    print(f"p50 {times:.2f} times the bare pipeline's, p99 {tail:.2f} times")
    if is_measuring:
        assert times <= IDLE_P50_TIMES
        assert tail <= IDLE_P99_TIMES


async def test_the_api_answers_quickly_while_the_workers_are_saturated(
    roomy_stack: LocalStack, large_photo: bytes, small_photo: bytes, is_measuring: bool
) -> None:
    seconds = SATURATED_SECONDS if is_measuring else 6.0
    async with clients_of(roomy_stack) as clients:
        idle = await idle_seconds(clients, small_photo, IDLE_UPLOADS if is_measuring else 2)
        number = SATURATING_PHOTOS if is_measuring else 2
        opened = [await clients.send(large_photo) for _ in range(number)]
        async with anyio.create_task_group() as tasks:
            for one in opened:
                tasks.start_soon(clients.complete, one)
        clients.seconds.clear()
        # Whatever runs when the time is up runs to its end: it is the slowest there is.
        with watching(roomy_stack) as watch:
            until = anyio.current_time() + seconds
            async with anyio.create_task_group() as tasks:
                for _ in range(SATURATED_CLIENTS if is_measuring else 2):
                    tasks.start_soon(
                        partial(upload_now_and_then, clients, small_photo, until=until)
                    )
    print(f"\n{SATURATED_CLIENTS} clients beside saturated workers; {cost(watch)}")
    for name in ("init", "put", "complete", REFUSED):
        print(f"  {name:9} {percentiles(clients.seconds[name])}; idle {percentiles(idle[name])}")
    if is_measuring:
        assert watch.looks[-1].waiting > 0
        assert p99(clients.seconds["init"]) <= SATURATED_P99_TIMES * p99(idle["init"])
        assert p99(clients.seconds["complete"]) <= SATURATED_P99_TIMES * p99(idle["complete"])


async def idle_seconds(clients: Clients, photo: bytes, number: int) -> dict[str, list[float]]:
    """How long the API takes for photos that are sent one after the other, each by itself."""
    for _ in range(number):
        opened = await clients.send(photo)
        await clients.complete(opened)
        await clients.final(opened.post_id)
    taken = {REFUSED: [], **clients.seconds}
    clients.seconds.clear()
    return taken


async def upload_now_and_then(clients: Clients, photo: bytes, *, until: float) -> None:
    """One of many people who post every few seconds; nothing begins after `until`."""
    begins = anyio.current_time() + random.uniform(0, BETWEEN_UPLOADS_SECONDS)
    while begins < until:
        await anyio.sleep_until(begins)
        await clients.complete(await clients.send(photo))
        begins = anyio.current_time() + BETWEEN_UPLOADS_SECONDS


async def test_a_ramp_of_clients(stack: LocalStack, small_photo: bytes, is_measuring: bool) -> None:
    steps, seconds = ((1, 2, 4, 8, 16, 32), 8.0) if is_measuring else ((1, 2), 0.5)
    heads = ("init", "put", "complete", "get", "published")
    print("\nclients  posts/s  " + "  ".join(f"{head:>13} p50/p99" for head in heads) + "  waiting")
    looks: list[Look] = []
    for number in steps:
        async with clients_of(stack) as clients:
            with watching(stack) as watch:
                took = await publish_side_by_side(clients, small_photo, number, seconds=seconds)
        print(row_of(number, clients, watch, took))
        print(f"         {cost(watch)}")
        started = looks[-1].seconds if looks else 0.0
        looks += [replace(look, seconds=started + look.seconds) for look in watch.looks]
    draw_load(looks, file=PLOT)
    print(f"the plot is {PLOT}")
    number = 300 if is_measuring else 2
    bare = await bare_photos_per_second(small_photo, number, workers=WORKERS)
    print(f"the bare pipeline, with every core to itself: {bare:.0f} posts/s")


def row_of(number: int, clients: Clients, watch: Watch, seconds: float) -> str:
    """One step of the ramp as a line of the table."""
    cells = [
        f"{1000 * median(clients.seconds[name]):13.0f}/{1000 * p99(clients.seconds[name]):4.0f} ms"
        for name in ("init", "put", "complete", "get", "published")
    ]
    waiting = max((look.waiting for look in watch.looks), default=0)
    rate = len(clients.seconds["published"]) / seconds
    return f"{number:7}  {rate:7.1f}  {'  '.join(cells)}  {waiting:7}"
