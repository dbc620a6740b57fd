"""The runner on a real PostgreSQL: one is active, poison stops it, batches equal single events."""

import random
import time
from uuid import UUID, uuid4

import anyio
import pytest

from domain.commands import Command
from domain.errors import DomainError
from domain.event_store.publishing import Publishing
from projections.follow.batch import project_batch
from projections.follow.catch_up import catch_up
from projections.follow.failures import NotStoppedThere, failure_of, retry, skip
from projections.follow.projection import POSTS, PROJECTIONS, Projection
from projections.follow.runner import follow
from projections.follow.status import Status, statuses
from projections.rebuild.verify import verify
from tests.histories import (
    RECIPE_VERSION,
    RECIPES,
    caption_post,
    confirm_upload,
    create_post,
    delete_post,
    fail_post,
    record_variant,
    reprocess_post,
    retry_post,
)
from tests.projections.read_tables import TABLES, rows, wait_for_posts
from tests.sql import Connections, append_poison, run

pytestmark = pytest.mark.anyio


async def status_of(connections: Connections) -> Status:
    async with connections.connection() as connection:
        [found] = await statuses(connection, [POSTS])
    return found


async def wait_until_stopped(connections: Connections) -> Status:
    with anyio.fail_after(60):
        while not (found := await status_of(connections)).stopped_at:
            await anyio.sleep(0.05)
    return found


async def test_another_runner_takes_over_within_five_seconds(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    async with anyio.create_task_group() as tasks:
        first = anyio.CancelScope()

        async def follow_first() -> None:
            with first:
                await follow(database_url, POSTS)

        tasks.start_soon(follow_first)
        publishing.execute(create_post())
        await wait_for_posts(connections, 1)
        active = (await status_of(connections)).running_where
        assert active is not None
        tasks.start_soon(follow, database_url, POSTS)
        await anyio.sleep(1.5)
        assert (await status_of(connections)).running_where == active
        publishing.execute(create_post())
        first.cancel()
        cancelled_at = time.monotonic()
        publishing.execute(create_post())
        await wait_for_posts(connections, 3)
        while (await status_of(connections)).running_where in {active, None}:
            await anyio.sleep(0.05)
        assert time.monotonic() - cancelled_at < 5
        tasks.cancel_scope.cancel()


async def test_a_listen_session_that_dies_silently_costs_at_most_two_seconds(
    publishing: Publishing,
    connections: Connections,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("projections.follow.runner.CHANNEL", "a_channel_that_nobody_notifies")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, database_url, POSTS)
        await anyio.sleep(0.5)
        for number in (1, 2, 3):
            publishing.execute(create_post())
            started = time.monotonic()
            await wait_for_posts(connections, number)
            assert time.monotonic() - started < 2
        tasks.cancel_scope.cancel()


async def test_poison_stops_the_projection_until_it_is_skipped_by_position(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    publishing.execute(create_post())
    append_poison(database_url)
    publishing.execute(create_post())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, database_url, POSTS)
        stopped = await wait_until_stopped(connections)
        assert (stopped.stopped_at, stopped.position) == (2, 1)
        assert "unreadable" in (stopped.last_error or "")
        async with connections.connection() as connection:
            with pytest.raises(NotStoppedThere):
                await skip(connection, "posts", 3, reason="the wrong one", by="someone")
            assert await retry(connection, "posts") == 2
            await wait_until_stopped(connections)
            await skip(connection, "posts", 2, reason="a torn page", by="someone")
            await wait_for_posts(connections, 2)
            assert await failure_of(connection, "posts") is None
            assert (await status_of(connections)).skipped_events == 1
            assert not (await verify(connection, POSTS)).differences
        tasks.cancel_scope.cancel()


async def test_an_event_that_a_table_refuses_stops_the_projection_right_before_it(
    publishing: Publishing,
    connections: Connections,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("projections.follow.runner.POLL_SECONDS", 0.1)
    twice = create_post()
    publishing.execute(create_post())
    publishing.execute(twice)
    publishing.execute(create_post(image_key=twice.image_key))
    publishing.execute(create_post())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, database_url, POSTS)
        stopped = await wait_until_stopped(connections)
        assert (stopped.stopped_at, stopped.position) == (3, 2)
        await catch_up(connections, POSTS, position=2)
        await run(
            connections,
            "ALTER TABLE upload_sessions DROP CONSTRAINT IF EXISTS upload_sessions_image_key_key",
        )
        # It tries again when an operator says so, and not by itself.
        await anyio.sleep(0.5)
        assert (await status_of(connections)).position == 2
        async with connections.connection() as connection:
            assert await retry(connection, "posts") == 3
        await wait_for_posts(connections, 4)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("projection", PROJECTIONS.values(), ids=list(PROJECTIONS))
async def test_any_size_of_batch_gives_the_same_tables(
    publishing: Publishing, connections: Connections, projection: Projection, seed: int
) -> None:
    choose = random.Random(seed)  # noqa: S311 - histories, not secrets
    posts = [uuid4() for _ in range(8)]
    for _ in range(120):
        _try_something(publishing, choose, choose.choice(posts))
    found = []
    for limits in ((1,), (1000,), (2, 3, 7, 19)):
        await run(
            connections,
            "TRUNCATE " + ", ".join(TABLES),
            "UPDATE projection_positions SET position = 0",
        )
        async with connections.connection() as connection:
            while (await project_batch(connection, projection, limit=choose.choice(limits))).events:
                pass
            assert not (await verify(connection, projection)).differences
        found.append(await rows(connections))
    assert found[0] == found[1] == found[2]


def _try_something(publishing: Publishing, choose: random.Random, post_id: UUID) -> None:
    commands: list[Command] = [
        create_post(post_id),
        confirm_upload(post_id),
        fail_post(post_id) if choose.random() < 0.5 else confirm_upload(post_id),
        retry_post(post_id) if choose.random() < 0.5 else confirm_upload(post_id),
        delete_post(post_id) if choose.random() < 0.3 else create_post(post_id),
        *[
            record_variant(
                post_id, recipe.variant, recipe_version=choose.choice([1, RECIPE_VERSION])
            )
            for recipe in RECIPES
        ],
        reprocess_post(post_id),
        caption_post(
            post_id, caption=choose.choice([None, "A", "B"]), alt=choose.choice([None, "C"])
        ),
    ]
    try:
        publishing.execute(choose.choice(commands))
    except DomainError:
        return
