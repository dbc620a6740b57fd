"""The projection on a real PostgreSQL: rows follow the log, exactly once, and can be replayed."""

from typing import LiteralString
from uuid import uuid4

import anyio
import psycopg
import pytest
from msgspec.structs import replace
from psycopg import AsyncConnection

from domain.event_store.mapper import UnreadableEvent
from domain.event_store.publishing import Publishing
from projections.connection import configure
from projections.follow.batch import UnknownProjection, project_batch
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS, Projection
from projections.follow.runner import follow
from tests.histories import (
    LATER_RECIPE_VERSION,
    create_post,
    publishing_commands,
    reprocess_post,
    stored_variant,
)
from tests.projections.read_tables import rows, wait_for_posts, write_all_kinds_of_posts
from tests.sql import Connections, run

pytestmark = pytest.mark.anyio


async def test_a_replay_gives_the_same_rows_and_leaves_what_people_did(
    publishing: Publishing, connections: Connections
) -> None:
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)
    await run(connections, "UPDATE post_metadata SET like_count = 7, view_count = 40")
    before = await rows(connections)
    await run(
        connections,
        "TRUNCATE posts, post_images, upload_sessions",
        "UPDATE projection_positions SET position = 0",
    )
    await catch_up(connections, POSTS, position=None)
    assert await rows(connections) == before
    assert {row["like_count"] for row in before["post_metadata"]} == {7}


async def test_every_status_shows_in_the_rows(
    publishing: Publishing, connections: Connections
) -> None:
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)
    found = await rows(connections)
    statuses = sorted(row["status"] for row in found["posts"])
    assert statuses == ["failed", "pending", "processing", "published", "published"]
    assert len(found["post_images"]) == 7
    sessions = sorted(row["status"] for row in found["upload_sessions"])
    assert sessions == ["completed"] * 5 + ["open"]


async def test_reprocessing_with_another_set_of_variants_leaves_that_set(
    publishing: Publishing, connections: Connections
) -> None:
    post_id = uuid4()
    for command in publishing_commands(post_id):
        publishing.execute(command)
    await catch_up(connections, POSTS, position=None)
    variants = tuple(
        stored_variant(post_id, name, recipe_version=LATER_RECIPE_VERSION)
        for name in ("thumbnail", "panorama")
    )
    publishing.execute(replace(reprocess_post(post_id), variants=variants))
    await catch_up(connections, POSTS, position=None)
    images = {(row["variant"], row["key"]) for row in (await rows(connections))["post_images"]}
    assert images == {(variant.name, variant.key) for variant in variants}


async def test_a_runner_follows_what_is_written_also_after_its_connection_was_cut(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, database_url, POSTS)
        publishing.execute(create_post())
        await wait_for_posts(connections, 1)
        await run(
            connections,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query LIKE '%LISTEN%' AND pid <> pg_backend_pid()",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query LIKE '%COMMIT%' AND pid <> pg_backend_pid()",
        )
        publishing.execute(create_post())
        await wait_for_posts(connections, 2)
        tasks.cancel_scope.cancel()


async def test_a_follower_that_stalls_in_the_middle_of_a_batch_does_not_stop_the_others(
    publishing: Publishing,
    connections: Connections,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("projections.connection.TRANSACTION_SECONDS", 1)
    stalled = await AsyncConnection.connect(database_url)
    await configure(stalled)
    await stalled.commit()
    await stalled.execute("SELECT position FROM projection_positions FOR UPDATE")
    publishing.execute(create_post())
    with anyio.fail_after(60):
        await catch_up(connections, POSTS, position=None)
    assert len((await rows(connections))["posts"]) == 1
    with pytest.raises(psycopg.Error):
        await stalled.execute("SELECT 1")
    await stalled.close()


async def test_an_event_that_cannot_be_read_stops_the_projection_and_no_client(
    publishing: Publishing, connections: Connections
) -> None:
    publishing.execute(create_post())
    await catch_up(connections, POSTS, position=None)
    await run(
        connections,
        "INSERT INTO post_events (originator_id, originator_version, topic, state) "
        "VALUES (gen_random_uuid(), 1, 'post.created', '{}')",
    )
    publishing.execute(create_post())
    # What is stored is not answered with an error, although it cannot be read yet.
    await catch_up(connections, POSTS, position=None)
    assert len((await rows(connections))["posts"]) == 1
    async with connections.connection() as connection:
        with pytest.raises(UnreadableEvent):
            await project_batch(connection, POSTS)


async def test_a_projection_that_the_database_does_not_know_is_named(
    connections: Connections,
) -> None:
    async with connections.connection() as connection:
        with pytest.raises(UnknownProjection, match="nova migrate"):
            await project_batch(connection, Projection(name="nothing", tables=()))


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE posts SET status = 'published'",
        "UPDATE posts SET status = 'failed'",
        "UPDATE posts SET status = 'deleted'",
        "UPDATE posts SET published_at = now()",
        "UPDATE post_images SET width = 0",
        "UPDATE post_images SET variant = ''",
        "UPDATE post_images SET sha256 = 'short'",
        "UPDATE post_images SET post_id = gen_random_uuid()",
        "UPDATE post_metadata SET like_count = -1",
        "UPDATE upload_sessions SET status = 'lost'",
    ],
)
async def test_a_wrong_row_is_impossible(
    publishing: Publishing, connections: Connections, wrong: LiteralString
) -> None:
    post_id = uuid4()
    for command in publishing_commands(post_id)[:3]:
        publishing.execute(command)
    await catch_up(connections, POSTS, position=None)
    with pytest.raises(psycopg.IntegrityError):
        await run(connections, wrong)
