"""Load on the real stack: throughput, latency, back-pressure, and what the parts cost.

Without `--benchmark-enable` everything runs small and asserts no speed.
"""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import anyio
import psycopg
import pytest
from anyio.from_thread import BlockingPortal
from msgspec.structs import replace

from api.stack.local import LocalStack, local_stack
from api.stack.ports import choose_ports
from benchmarks.load_clients import Clients, Opened, clients_of, p99, percentiles
from benchmarks.load_plot import draw_load
from benchmarks.load_watch import Look, Watch, watching
from benchmarks.queueing import simulate, stay_of
from tests.servers import temporary_stack_folder
from tests.transcoder import pictures
from transcoder.pool import RenderPool
from transcoder.rendering import Limits

pytestmark = pytest.mark.anyio

WORKERS: Final = os.cpu_count() or 1
MODEST_WORKERS: Final = max(1, WORKERS - 1)
THROUGHPUT_SHARE: Final = 0.85
IDLE_P50_TIMES: Final = 1.4
IDLE_P99_TIMES: Final = 3.0
SATURATED_CLIENTS: Final = 50
SATURATED_P99_SECONDS: Final = 0.100
BETWEEN_UPLOADS_SECONDS: Final = 5.0
READERS: Final = 16
# As apps do; more often, reading would be most of the load.
ASK_AGAIN_SECONDS: Final = 0.25
# What is measured alone may be asked for as often as the answer should be exact.
IDLE_ASK_AGAIN_SECONDS: Final = 0.005
READING_SHARE: Final = 0.6
PLOT: Final = Path(".benchmarks") / "load.png"

_SPANS: Final = """
SELECT extract(epoch FROM min(event_recorded_at(state)) FILTER (WHERE topic = 'post.uploaded')),
       extract(epoch FROM max(event_recorded_at(state)) FILTER (WHERE topic = 'post.published')),
       count(*) FILTER (WHERE topic = 'post.published')
FROM post_events WHERE originator_id = ANY (%s::uuid[])
"""

_STAYS: Final = """
SELECT extract(epoch FROM min(event_recorded_at(state)))::float8,
       extract(epoch FROM max(event_recorded_at(state)))::float8
FROM post_events
WHERE topic IN ('post.uploaded', 'post.published') AND originator_id = ANY (%s::uuid[])
GROUP BY originator_id
"""


@pytest.fixture(scope="module")
def large_photo(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A 12-megapixel JPEG, drawn as the demo draws it."""
    path: Path = tmp_path_factory.mktemp("photo") / "12-megapixel.jpg"
    subprocess.run([sys.executable, "-m", "transcoder.sample", str(path)], check=True)
    return path.read_bytes()


@pytest.fixture(scope="module")
def small_photo() -> bytes:
    """A JPEG of 100 KB."""
    return pictures.jpeg(pictures.noise(450, 340), quality=85)


@pytest.fixture
async def clients(stack: LocalStack) -> AsyncIterator[Clients]:
    """Clients of the stack."""
    async with clients_of(stack) as clients:
        yield clients


@pytest.fixture
def modest_stack(portal: BlockingPortal) -> Iterator[LocalStack]:
    """A stack whose worker leaves a core to the database, the object store and whoever asks."""
    environ = {"WORKER_CONCURRENCY": str(MODEST_WORKERS)}
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
    stack: LocalStack, clients: Clients, large_photo: bytes, small_photo: bytes, is_measuring: bool
) -> None:
    seconds = 8.0 if is_measuring else 6.0
    opened = [await clients.send(large_photo) for _ in range(90 if is_measuring else 2)]
    async with anyio.create_task_group() as tasks:
        for one in opened:
            tasks.start_soon(clients.complete, one)
    clients.seconds.clear()
    with watching(stack) as watch, anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            for _ in range(SATURATED_CLIENTS if is_measuring else 2):
                tasks.start_soon(upload_now_and_then, clients, small_photo)
    print(f"\n{SATURATED_CLIENTS} clients beside saturated workers; {cost(watch)}")
    for name in ("init", "put", "complete"):
        print(f"  {name:9} {percentiles(clients.seconds[name])}")
    if is_measuring:
        assert watch.looks[-1].waiting > 0
        assert p99(clients.seconds["init"]) <= SATURATED_P99_SECONDS
        assert p99(clients.seconds["complete"]) <= SATURATED_P99_SECONDS


async def upload_now_and_then(clients: Clients, photo: bytes) -> None:
    """One of many people, each of whom posts every few seconds."""
    await anyio.sleep(random.uniform(0, BETWEEN_UPLOADS_SECONDS))
    while True:
        await clients.complete(await clients.send(photo))
        await anyio.sleep(BETWEEN_UPLOADS_SECONDS)


async def test_a_ramp_of_clients(stack: LocalStack, small_photo: bytes, is_measuring: bool) -> None:
    steps, seconds = ((1, 2, 4, 8, 16, 32), 8.0) if is_measuring else ((1, 2), 0.5)
    heads = ("init", "put", "complete", "published")
    print("\nclients  posts/s  " + "  ".join(f"{head:>13} p50/p99" for head in heads) + "  waiting")
    looks: list[Look] = []
    told = ""
    for number in steps:
        async with clients_of(stack) as clients:
            with watching(stack) as watch, anyio.move_on_after(seconds):
                async with anyio.create_task_group() as tasks:
                    for _ in range(number):
                        tasks.start_soon(publish_for_ever, clients, small_photo)
        print(row_of(number, clients, watch, seconds))
        started = looks[-1].seconds if looks else 0.0
        told = f"with {number} clients: {cost(watch)}"
        looks += [replace(look, seconds=started + look.seconds) for look in watch.looks]
    draw_load(looks, file=PLOT)
    print(f"{told}; the plot is {PLOT}")


async def publish_for_ever(clients: Clients, photo: bytes) -> None:
    """Photo after photo, each sent when the one before is published."""
    while True:
        await publish_one(clients, photo)


async def publish_one(clients: Clients, photo: bytes) -> None:
    """One photo, from its announcement until it is published."""
    opened = await clients.send(photo)
    started = time.perf_counter()
    await clients.complete(opened)
    post = await clients.final(opened.post_id, every_seconds=ASK_AGAIN_SECONDS)
    assert post["status"] == "published", post
    clients.seconds["published"].append(time.perf_counter() - started)


def row_of(number: int, clients: Clients, watch: Watch, seconds: float) -> str:
    """One step of the ramp as a line of the table."""
    cells = [
        f"{1000 * median(clients.seconds[name]):13.0f}/{1000 * p99(clients.seconds[name]):4.0f} ms"
        for name in ("init", "put", "complete", "published")
    ]
    waiting = max((look.waiting for look in watch.looks), default=0)
    rate = len(clients.seconds["published"]) / seconds
    return f"{number:7}  {rate:7.1f}  {'  '.join(cells)}  {waiting:7}"


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
    measured = stay_of(stays, utilisation=number / (capacity * (max(arrivals) or 1)))
    simulated = simulate(arrivals, service_seconds=WORKERS / capacity, workers=WORKERS)
    print(
        f"\noffered {utilisation:.0%} of {capacity:.1f} photos/s: measured mean "
        f"{1000 * measured.mean:.0f}, p90 {1000 * measured.p90:.0f} ms; simulated mean "
        f"{1000 * simulated.mean:.0f}, p90 {1000 * simulated.p90:.0f} ms"
    )


def arrivals_and_stays(stack: LocalStack, opened: list[Opened]) -> tuple[list[float], list[float]]:
    """When photos were completed, in seconds after the first, and how long until published."""
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        found = connection.execute(_STAYS, [[one.post_id for one in opened]]).fetchall()
    first = min(row[0] for row in found)
    return [row[0] - first for row in found], [row[1] - row[0] for row in found]


async def test_reading_a_post_costs_little_more_than_a_bare_handler(
    stack: LocalStack, clients: Clients, small_photo: bytes, is_measuring: bool, tmp_path: Path
) -> None:
    opened = await clients.send(small_photo)
    await clients.complete(opened)
    await clients.final(opened.post_id)
    port = choose_ports(["bare"], tmp_path / "ports.json")["bare"]
    shares = []
    seconds = 3.0 if is_measuring else 0.2
    with bare_handler(stack, port) as address:
        for _ in range(5 if is_measuring else 1):
            api = await reads_per_second(clients, opened.post_id, seconds=seconds)
            bare = await reads_per_second(clients.at(address), opened.post_id, seconds=seconds)
            shares.append(api / bare)
            print(f"\nGET of a post {api:,.0f}/s, of a bare handler {bare:,.0f}/s")
    print(f"share: {median(shares):.2f}")
    if is_measuring:
        assert median(shares) >= READING_SHARE


async def photos_per_second(
    stack: LocalStack, clients: Clients, photo: bytes, number: int
) -> tuple[float, Watch]:
    """Photos that lie ready are completed all at once; from the first upload to the last end."""
    opened = [await clients.send(photo) for _ in range(number)]
    with watching(stack) as watch:
        async with anyio.create_task_group() as tasks:
            for one in opened:
                tasks.start_soon(clients.complete, one)
        while (span := published_span(stack, opened))[1] < number:
            await anyio.sleep(0.3)
    return number / span[0], watch


@contextmanager
def bare_handler(stack: LocalStack, port: int) -> Iterator[str]:
    """The address of a bare handler on the stack's database."""
    environ = {**os.environ, "DATABASE_URL": stack.environ["DATABASE_URL"]}
    command = [sys.executable, "-m", "benchmarks.bare_handler", str(port)]
    with subprocess.Popen(command, env=environ) as process:
        try:
            wait_for_port(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def wait_for_port(port: int) -> None:
    """Until somebody answers there."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError


async def reads_per_second(clients: Clients, post_id: str, *, seconds: float) -> float:
    """How many reads of one post so many clients get in a second."""
    done = 0

    async def read() -> None:
        nonlocal done
        while True:
            await clients.read(post_id)
            done += 1

    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            for _ in range(READERS):
                tasks.start_soon(read)
    return done / seconds


def published_span(stack: LocalStack, opened: list[Opened]) -> tuple[float, int]:
    """Seconds from the first upload to the last publication, and how many there are."""
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        row = connection.execute(_SPANS, [[one.post_id for one in opened]]).fetchone()
    assert row is not None
    return float((row[1] or 0) - (row[0] or 0)), row[2]


async def bare_photos_per_second(photo: bytes, number: int, *, workers: int) -> float:
    """The pipeline alone, in as many processes as the worker has."""
    pool = RenderPool(size=workers, limits=Limits())
    await pool.warm()
    render = partial(pool.render, photo, content_type="image/jpeg")
    started = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(number):
            tasks.start_soon(render)
    return number / (time.perf_counter() - started)


def cost(watch: Watch) -> str:
    """What each process took, in cores and MB."""
    most = watch.most_megabytes()
    return ", ".join(
        f"{name} {cores:.2f} cores {most[name]:.0f} MB"
        for name, cores in watch.mean_cores().items()
    )
