"""The log's tree: how fast it seals and verifies, and that appends do not notice it."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final
from uuid import uuid4

import anyio
import psutil
import psycopg
import pytest
from anyio.from_thread import BlockingPortal
from psycopg import AsyncConnection

from api.migrate import migrate
from domain.event_store.publishing import Publishing
from projections.log_tree.sealing import seal
from projections.log_tree.verification import verify
from tests.histories import create_post

EVENTS: Final = 1_000_000
EVENTS_IN_SMOKE: Final = 20_000
WRITERS: Final = 4
ROUND_SECONDS: Final = 4.0
ROUNDS: Final = 3
# As often as the projector may be expected to.
SEAL_EVERY_SECONDS: Final = 1.0
MIB: Final = 1 << 20

_FILL: Final = """
INSERT INTO post_events (originator_id, originator_version, topic, state)
SELECT gen_random_uuid(), 1, 'post.created', convert_to(repeat(md5(number::text), 16), 'UTF8')
FROM generate_series(1, %s) AS number
"""


@pytest.fixture
def database_url(postgres_server: str) -> str:
    """An empty, migrated database."""
    name = f"tree_{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    url = f"{postgres_server.rpartition('/')[0]}/{name}"
    migrate(url)
    return url


@pytest.fixture
def publishing(database_url: str) -> Iterator[Publishing]:
    """The writer."""
    with Publishing(database_url, pool_size=WRITERS) as publishing:
        yield publishing


def test_sealing_and_verifying_go_at_these_rates(
    database_url: str, portal: BlockingPortal, request: pytest.FixtureRequest
) -> None:
    events = EVENTS if request.config.getoption("--benchmark-enable") else EVENTS_IN_SMOKE
    with psycopg.connect(database_url) as connection:
        connection.execute(_FILL, [events])
    before = psutil.Process().memory_info().rss
    sealed_in, verified_in = portal.call(_seal_and_verify, database_url, events)
    grown = (psutil.Process().memory_info().rss - before) / MIB
    print(f"\nsealing   {events / sealed_in:,.0f} events/s ({events:,} events)")
    print(f"verifying {events / verified_in:,.0f} events/s, memory +{grown:.0f} MiB")
    assert grown < 100


async def _seal_and_verify(url: str, events: int) -> tuple[float, float]:
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        started = time.perf_counter()
        assert await seal(connection) == events
        sealed = time.perf_counter()
        found = await verify(connection, progress=lambda _done, _total: None)
        assert (found.events, found.finding) == (events, None)
        return sealed - started, time.perf_counter() - sealed


def test_appends_do_not_notice_the_sealer(
    publishing: Publishing, database_url: str, *, is_measuring: bool
) -> None:
    seconds = ROUND_SECONDS if is_measuring else 0.5
    _append_for(publishing, seconds / 4)
    alone, beside = 0, 0
    for _ in range(ROUNDS):
        alone += _append_for(publishing, seconds)
        with _sealer(database_url):
            beside += _append_for(publishing, seconds)
    each = ROUNDS * seconds
    print(f"\nappends alone {alone / each:,.0f}/s, beside a sealer {beside / each:,.0f}/s")
    print(f"ratio {beside / alone:.3f}")
    if is_measuring:
        assert beside > 0.7 * alone


def _append_for(publishing: Publishing, seconds: float) -> int:
    ends = time.perf_counter() + seconds

    def write(_: int) -> int:
        appended = 0
        while time.perf_counter() < ends:
            publishing.execute(create_post())
            appended += 1
        return appended

    with ThreadPoolExecutor(WRITERS) as threads:
        return sum(threads.map(write, range(WRITERS)))


@contextmanager
def _sealer(url: str) -> Iterator[None]:
    stop = threading.Event()

    async def keep_sealing() -> None:
        async with await AsyncConnection.connect(url, autocommit=True) as connection:
            while not stop.is_set():
                await seal(connection)
                await anyio.sleep(SEAL_EVERY_SECONDS)

    thread = threading.Thread(target=anyio.run, args=(keep_sealing,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
