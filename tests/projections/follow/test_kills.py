"""Runners and rebuilds killed at random instants, for real: nothing is lost and nothing twice."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final
from uuid import uuid4

import anyio
import pytest
from anyio import to_thread
from psycopg import AsyncConnection

from domain.event_store.publishing import Publishing
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from projections.follow.runner import follow
from projections.follow.status import statuses
from projections.log.reading import read_log
from projections.rebuild.rebuild import RebuildRunning, Rebuilt, rebuild
from projections.rebuild.verify import verify
from tests.fault_rounds import rounds
from tests.histories import create_post, publishing_commands
from tests.projections.long_log import EVENTS_PER_POST, fill, published
from tests.projections.read_tables import rows, wait_for_posts
from tests.sql import Connections, run

pytestmark = pytest.mark.anyio

VICTIMS = (sys.executable, "-m", "tests.projections.follow.killed_runners")
WRITERS: Final = 16
APPENDS: Final = rounds(1050, brief=210)
KILLS: Final = rounds(200, brief=40)
REBUILD_KILLS: Final = rounds(10, brief=3)


def kill_lives(duty: str, url: str, *, lives: int, seconds: tuple[float, float]) -> int:
    """Take lives; how many had ended by themselves."""
    words = [*VICTIMS, duty, url, str(lives), *map(str, seconds)]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.count("ended")


async def write_until_cancelled(publishing: Publishing) -> None:
    """Publish post after post."""
    while True:
        for command in publishing_commands(uuid4()):
            await to_thread.run_sync(publishing.execute, command)


async def read_until_cancelled(connections: Connections) -> None:
    """Ask what everybody asks; an error ends the test."""
    async with connections.connection() as connection:
        while True:
            await connection.execute("SELECT count(*) FROM posts JOIN post_images ON post_id = id")
            await anyio.sleep(0.05)


async def test_a_runner_killed_again_and_again_leaves_the_tables_of_a_fresh_rebuild(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    longest = 0.3
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(write_until_cancelled, publishing)
        while len((await rows(connections))["posts"]) <= KILLS / 2:
            take_lives = partial(
                kill_lives, "follow", database_url, lives=KILLS, seconds=(0.01, longest)
            )
            assert await to_thread.run_sync(take_lives) == 0
            # On a busy machine most of them had not begun.
            longest *= 2
        tasks.cancel_scope.cancel()
    await catch_up(connections, POSTS, position=None)
    followed = await rows(connections)
    rebuilt = await rebuild(database_url, POSTS, report=lambda *_: None)
    assert await rows(connections) == followed
    assert rebuilt.verification.tables[0].found_rows == len(followed["posts"])


async def test_another_runner_takes_over_within_five_seconds_of_a_kill(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(
            to_thread.run_sync, lambda: kill_lives("follow", database_url, lives=1, seconds=(2, 2))
        )
        publishing.execute(create_post())
        await wait_for_posts(connections, 1)
        tasks.start_soon(follow, database_url, POSTS)
        with anyio.fail_after(2 + 5):
            active = await runner(connections)
            while await runner(connections) in {active, None}:
                await anyio.sleep(0.05)
            publishing.execute(create_post())
            await wait_for_posts(connections, 2)
        tasks.cancel_scope.cancel()


async def runner(connections: Connections) -> str | None:
    """Who is active."""
    async with connections.connection() as connection:
        [status] = await statuses(connection, [POSTS])
    return status.running_where


async def test_a_rebuild_killed_again_and_again_under_load_goes_unnoticed_and_is_then_finished(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    fill(database_url, 60_000)
    await catch_up(connections, POSTS, position=None)
    await run(connections, "UPDATE posts SET caption = 'damaged'")
    before = await damaged(connections)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, database_url, POSTS)
        tasks.start_soon(read_until_cancelled, connections)
        tasks.start_soon(write_until_cancelled, publishing)
        ended = await to_thread.run_sync(
            lambda: kill_lives("rebuild", database_url, lives=REBUILD_KILLS, seconds=(0.05, 1.8))
        )
        assert await damaged(connections) == (0 if ended else before)
        rebuilt = await rebuild_when_possible(database_url)
        assert rebuilt.verification.events >= 60_000
        tasks.cancel_scope.cancel()
    assert await damaged(connections) == 0
    async with connections.connection() as connection:
        await catch_up(connections, POSTS, position=None)
        assert not (await verify(connection, POSTS)).differences
        left = await connection.execute("SELECT FROM pg_namespace WHERE nspname ~ '^rebuild'")
        assert not await left.fetchall()


async def rebuild_when_possible(url: str) -> Rebuilt:
    """The server notices a moment late that the one that was killed has gone."""
    with anyio.fail_after(60):
        while True:
            try:
                return await rebuild(url, POSTS, report=lambda *_: None, workers=2)
            except RebuildRunning:
                await anyio.sleep(0.1)


async def damaged(connections: Connections) -> int:
    """How many old posts have lost their caption, which only a finished rebuild gives back."""
    async with connections.connection() as connection:
        found = await connection.execute("SELECT count(*) FROM posts WHERE caption = 'damaged'")
        row = await found.fetchone()
    assert isinstance(row, tuple)
    return int(row[0])


async def test_three_followers_of_sixteen_writers_miss_no_event(
    database_url: str, connections: Connections
) -> None:
    seen: list[list[int]] = [[], [], []]
    async with anyio.create_task_group() as tasks:
        for positions in seen:
            tasks.start_soon(note_positions, database_url, positions)
        await to_thread.run_sync(append_histories, database_url)
        with anyio.fail_after(60):
            while min(map(len, seen)) < WRITERS * APPENDS * EVENTS_PER_POST:
                await anyio.sleep(0.1)
        tasks.cancel_scope.cancel()
    async with connections.connection() as connection:
        found = await connection.execute("SELECT notification_id FROM post_events ORDER BY 1")
        log = [row[0] for row in await found.fetchall()]  # type: ignore[index]
    assert len(log) >= WRITERS * APPENDS * EVENTS_PER_POST
    assert seen == [log, log, log]


async def note_positions(url: str, positions: list[int]) -> None:
    """Follow the log as projections do."""
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        while True:
            after = positions[-1] if positions else 0
            positions += [one.position for one in await read_log(connection, after, limit=2000)]


def append_histories(url: str) -> None:
    """Append whole histories from so many threads at once."""

    def write(_: int) -> None:
        with Publishing(url, pool_size=1) as publishing:
            for _ in range(APPENDS):
                publishing.recorder.insert_events(published(uuid4()))

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, range(WRITERS)))
