"""A soak: photos at seven tenths of what the workers can do, for ten minutes; nothing may grow.

Without `--benchmark-enable` it takes seconds and asserts nothing of growth.
"""

import random
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

import anyio
import psycopg
import pytest

from api.stack.local import LocalStack
from benchmarks.load_clients import Clients, clients_of, percentiles
from benchmarks.load_publishing import publish_one, publish_side_by_side
from benchmarks.load_watch import Look, watching
from domain.settings import DatabaseSettings
from tests.transcoder import pictures

pytestmark = pytest.mark.anyio

SECONDS: Final = 600.0
WARM_UP_SHARE: Final = 0.2
UTILISATION: Final = 0.7
PEOPLE: Final = 16
# Allocators keep what they once had; a leak of one kilobyte a post would be more than this.
MEGABYTES_OF_NOISE: Final = 12.0
# Pools grow with a burst and shrink after ten quiet minutes. A leak would pass what they may hold:
# two pools of an API, two of a worker, its lanes, whatever follows the log or counts, and us.
POOLS: Final = 4
OTHER_CONNECTIONS: Final = 12
# The largest burst may come late; a connection lost every minute would be more than this.
CONNECTIONS_OF_NOISE: Final = 4
# Dead rows of a table rise until they are vacuumed, and fall; what nobody vacuums doubles from one
# half to the next. Small tables may wait for more of them.
DEAD_ROWS_TIMES: Final = 1.5
DEAD_ROWS_OF_NOISE: Final = 500

_QUEUE_ROWS: Final = """
SELECT (SELECT count(*) FROM procrastinate_jobs), (SELECT count(*) FROM procrastinate_events),
       (SELECT count(*) FROM procrastinate_periodic_defers),
       (SELECT count(*) FROM procrastinate_workers)
"""


async def test_ten_minutes_at_seventy_percent_leave_nothing_larger(
    stack: LocalStack, is_measuring: bool
) -> None:
    photo = pictures.jpeg(pictures.noise(900, 680), quality=85)
    seconds = SECONDS if is_measuring else 6.0
    async with clients_of(stack) as clients:
        capacity = await published_per_second(clients, photo, seconds=30.0 if is_measuring else 2.0)
        with watching(stack) as watch, anyio.move_on_after(seconds):
            await publish_at_random(clients, photo, per_second=UTILISATION * capacity)
        print(f"\n{seconds:.0f} s at {UTILISATION:.0%} of {capacity:.1f} photos/s")
        print(f"complete to published: {percentiles(clients.seconds['published'])}")
    report_growth(watch.looks)
    files, dead = temporary_files(stack), most_dead_rows(watch.looks)
    print(f"  temporary files {[path.name for path in files]}; most dead rows by half {dead}")
    print(f"  the queue remembers {queue_rows(stack)} jobs, events, ticks and workers")
    if is_measuring:
        assert not files
        assert max(map(connections_of, watch.looks)) <= most_connections()
        assert growth(watch.looks, connections_of) <= CONNECTIONS_OF_NOISE
        for table, (first, then) in dead.items():
            assert then <= DEAD_ROWS_TIMES * first + DEAD_ROWS_OF_NOISE, table
        for name in ("api", "worker", "projector"):
            assert growth(watch.looks, megabytes_of(name)) < MEGABYTES_OF_NOISE, name


async def published_per_second(clients: Clients, photo: bytes, *, seconds: float) -> float:
    """What the stack does when so many people wait for it, with everything that they ask of it."""
    took = await publish_side_by_side(clients, photo, PEOPLE, seconds=seconds)
    published = len(clients.seconds.pop("published"))
    clients.seconds.clear()
    return published / took


async def publish_at_random(clients: Clients, photo: bytes, *, per_second: float) -> None:
    """Poisson arrivals, for ever."""
    async with anyio.create_task_group() as tasks:
        while True:
            tasks.start_soon(publish_one, clients, photo)
            await anyio.sleep(random.expovariate(per_second))


def ends_of(looks: list[Look]) -> tuple[list[Look], list[Look]]:
    """The first fifth after the warm-up, and the last."""
    warm = looks[int(len(looks) * WARM_UP_SHARE) :]
    fifth = max(1, len(warm) // 5)
    return warm[:fifth], warm[-fifth:]


def growth(looks: list[Look], of: Callable[[Look], float]) -> float:
    """By how much the middle of the last fifth is above that of the first."""
    first, last = ends_of(looks)
    return median(map(of, last)) - median(map(of, first))


def megabytes_of(name: str) -> Callable[[Look], float]:
    """The memory of a process."""
    return lambda look: look.megabytes.get(name, 0.0)


def connections_of(look: Look) -> float:
    """How many there were to the database."""
    return look.connections


def most_connections() -> int:
    """How many the settings of this stack allow."""
    return POOLS * DatabaseSettings(url="postgresql:///nova").pool_size + OTHER_CONNECTIONS


def report_growth(looks: list[Look]) -> None:
    """Print what became of memory, connections and the queue."""
    for name in sorted(looks[-1].megabytes):
        before = median(map(megabytes_of(name), ends_of(looks)[0]))
        print(f"  {name:10} {before:6.0f} MB, then {growth(looks, megabytes_of(name)):+.1f} MB")
    most = max(map(connections_of, looks))
    print(
        f"  connections {looks[-1].connections}, {growth(looks, connections_of):+.0f}; "
        f"at most {most:.0f}, where the pools may hold {most_connections()}"
    )
    print(
        f"  waiting at most {max(look.waiting for look in looks)}, at the end {looks[-1].waiting}"
    )


def temporary_files(stack: LocalStack) -> list[Path]:
    """What our processes have left; a server of the stack keeps its key in the same folder."""
    files = Path(stack.environ["TMPDIR"]).rglob("*")
    return [path for path in files if path.is_file() and not path.name.startswith("grpc.")]


def most_dead_rows(looks: list[Look]) -> dict[str, tuple[int, int]]:
    """How many rows of each table were dead at most, in the first half and in the second."""
    half = len(looks) // 2
    most = {
        table: (
            max((look.dead_rows[table] for look in looks[:half]), default=0),
            max(look.dead_rows[table] for look in looks[half:]),
        )
        for table in looks[-1].dead_rows
    }
    return {table: counts for table, counts in most.items() if max(counts)}


def queue_rows(stack: LocalStack) -> tuple[int, ...]:
    """How many jobs, events, ticks and workers the queue remembers."""
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        [rows] = connection.execute(_QUEUE_ROWS).fetchall()
    return rows
