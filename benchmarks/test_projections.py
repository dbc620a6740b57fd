"""Following and rebuilding, on one log, against the library's `ProjectionRunner` and mere reading.

Without `--benchmark-enable` it runs small, asserts no speed and only shows that it runs.
"""

import json
import os
import subprocess
import sys
import time
from statistics import median, quantiles
from typing import Final
from uuid import UUID, uuid4

import anyio
import psycopg
import pytest
from anyio import to_thread
from psycopg import AsyncConnection

from benchmarks.library_runner import library_events_per_second
from domain.event_store.publishing import Publishing
from projections.connection import configure
from projections.follow.batch import BATCH_EVENTS, project_batch
from projections.follow.projection import POSTS
from projections.follow.runner import follow
from projections.log.reading import decode_log, read_log
from tests.histories import create_post
from tests.projections.long_log import fill

pytestmark = pytest.mark.anyio

ROUNDS: Final = 5
TIMES_FASTER: Final = 15
SHARE_OF_READING: Final = 0.4
# A million events against a hundred thousand, and against ten thousand.
STAYS_LINEAR: Final = 0.8
STAYS_FLAT: Final = 1.5
LIVE_POSTS_PER_SECOND: Final = 200
LIVE_P99_SECONDS: Final = 0.050


async def test_catching_up_beats_the_library_and_keeps_up_with_reading(
    database_url: str,
    is_measuring: bool,
) -> None:
    events = fill(database_url, 60_000 if is_measuring else 600)
    followed, read = [], []
    async with await connected(database_url) as connection:
        for _ in range(ROUNDS if is_measuring else 1):
            start_again(database_url)
            read.append(await read_and_decode(connection, events))
            followed.append(await catch_up(connection, events))
    following, reading = median(followed), median(read)
    start_again(database_url)
    library = library_events_per_second(database_url, events // 10)
    print(
        f"\nevents/s: reading {reading:,.0f}, following {following:,.0f}, the library's runner "
        f"{library:,.0f}: {following / library:.1f} times that, "
        f"{following / reading:.2f} of reading"
    )
    if is_measuring:
        assert following >= TIMES_FASTER * library
        assert following >= SHARE_OF_READING * reading


async def test_rebuilding_costs_what_the_log_is_long(
    database_url: str,
    is_measuring: bool,
) -> None:
    stored, rates, megabytes = 0, [], []
    print()
    for size in (10_000, 100_000, 1_000_000) if is_measuring else (600, 1200):
        stored = fill(database_url, size - stored)
        seconds, peak = rebuild(database_url)
        rates.append(stored / seconds)
        megabytes.append(peak)
        print(
            f"rebuild of {stored:>9,} events: {seconds:6.2f} s, {rates[-1]:>7,.0f} events/s, "
            f"{peak:.0f} MB in the largest process"
        )
    start_again(database_url)
    library = library_events_per_second(database_url, stored // 200)
    print(f"{rates[-1] / library:.1f} times the library's runner ({library:,.0f} events/s)")
    if is_measuring:
        assert rates[-1] >= TIMES_FASTER * library
        assert rates[-1] >= STAYS_LINEAR * rates[1]
        assert megabytes[-1] <= STAYS_FLAT * megabytes[0]


def rebuild(url: str) -> tuple[float, float]:
    """Seconds that `nova projections rebuild` took, and megabytes of its largest process."""
    environ = {**os.environ, "DATABASE_URL": url}
    command = [sys.executable, "-m", "api", "projections", "rebuild", "posts", "--json"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        *_, done = process.stdout
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return float(json.loads(done)["seconds"]), usage.ru_maxrss / 1024


async def test_a_row_is_visible_soon_after_its_event(
    database_url: str,
    is_measuring: bool,
) -> None:
    number = 2000 if is_measuring else 40
    appended: dict[UUID, float] = {}
    lags: list[float] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, database_url, POSTS)
        await anyio.sleep(0.5)
        tasks.start_soon(to_thread.run_sync, create_steadily, database_url, number, appended)
        async with await connected(database_url) as connection:
            seen: set[UUID] = set()
            with anyio.fail_after(120):
                while len(lags) < number:
                    found = await connection.execute("SELECT post_id FROM post_metadata")
                    visible_at = time.perf_counter()
                    new = {row[0] for row in await found.fetchall()} - seen  # type: ignore[index]
                    known = {post_id for post_id in new if post_id in appended}
                    lags += [visible_at - appended[post_id] for post_id in known]
                    seen |= known
                    await anyio.sleep(0.002)
        tasks.cancel_scope.cancel()
    p99 = quantiles(lags, n=100)[98]
    print(f"\nlive lag at {LIVE_POSTS_PER_SECOND} posts/s: p99 {p99 * 1000:.1f} ms")
    if is_measuring:
        assert p99 <= LIVE_P99_SECONDS


def create_steadily(url: str, number: int, appended: dict[UUID, float]) -> None:
    """Create posts at the live rate and note when each was appended."""
    with Publishing(url) as publishing:
        started = time.perf_counter()
        for index in range(number):
            time.sleep(max(0, started + index / LIVE_POSTS_PER_SECOND - time.perf_counter()))
            post_id = uuid4()
            publishing.execute(create_post(post_id))
            appended[post_id] = time.perf_counter()


async def connected(url: str) -> AsyncConnection[object]:
    """A connection as followers have it."""
    connection: AsyncConnection[object] = await AsyncConnection.connect(url, autocommit=True)
    await configure(connection)
    return connection


async def catch_up(connection: AsyncConnection[object], events: int) -> float:
    """Events per second when they are projected in batches."""
    started = time.perf_counter()
    while (await project_batch(connection, POSTS)).events:
        pass
    return events / (time.perf_counter() - started)


async def read_and_decode(connection: AsyncConnection[object], events: int) -> float:
    """Events per second when they are read and decoded, and nothing else."""
    started, position = time.perf_counter(), 0
    while rows := await read_log(connection, position, limit=BATCH_EVENTS):
        position = decode_log(rows)[-1].position
    return events / (time.perf_counter() - started)


def start_again(url: str) -> None:
    """Empty the read tables."""
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE posts, post_images, upload_sessions, post_metadata")
        connection.execute("UPDATE projection_positions SET position = 0")
