"""Unfinished posts on a real PostgreSQL: what waits, runs, has failed or was forgotten."""

from datetime import timedelta
from typing import LiteralString
from uuid import UUID, uuid4

import pytest

from domain.event_store.publishing import Publishing
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from projections.queries.unfinished import UnfinishedFilter, UnfinishedPost, unfinished_posts
from tests.histories import NOON, confirm_upload, create_post, fail_post, publishing_commands
from tests.sql import Connections, run

pytestmark = pytest.mark.anyio


async def listed(
    connections: Connections,
    asked: UnfinishedFilter | None = None,
    *,
    limit: int = 100,
    after: UnfinishedPost | None = None,
) -> list[UnfinishedPost]:
    await catch_up(connections, POSTS, position=None)
    async with connections.connection() as connection:
        asked = asked or UnfinishedFilter()
        return await unfinished_posts(connection, asked, limit=limit, after=after)


def upload(publishing: Publishing, *, minutes: int = 0) -> UUID:
    post_id = uuid4()
    publishing.execute(create_post(post_id))
    publishing.execute(confirm_upload(post_id, at=NOON + timedelta(minutes=minutes)))
    return post_id


async def test_a_post_is_listed_until_it_is_published_or_deleted(
    publishing: Publishing, connections: Connections
) -> None:
    publishing.execute(create_post())
    for command in publishing_commands(uuid4()):
        publishing.execute(command)
    waiting, failed = upload(publishing), upload(publishing)
    publishing.execute(fail_post(failed))

    states = {post.post_id: post.state for post in await listed(connections)}

    assert states == {waiting: "waiting", failed: "failed"}


async def test_the_state_is_that_of_the_job_of_the_post(
    publishing: Publishing, connections: Connections
) -> None:
    upload(publishing)
    cases: tuple[tuple[LiteralString, str, int], ...] = (
        ("UPDATE procrastinate_jobs SET attempts = 2", "waiting", 2),
        ("UPDATE procrastinate_jobs SET status = 'doing'", "running", 3),
        ("UPDATE procrastinate_jobs SET status = 'failed'", "forgotten", 0),
    )
    for statement, state, attempts in cases:
        await run(connections, statement)
        (post,) = await listed(connections)
        assert (post.state, post.attempts) == (state, attempts)


async def test_the_job_of_another_post_or_of_another_kind_is_not_taken_for_it(
    publishing: Publishing, connections: Connections
) -> None:
    upload(publishing)
    await run(connections, "UPDATE procrastinate_jobs SET task_name = 'post.remove_objects'")
    (post,) = await listed(connections)
    assert post.state == "forgotten"


async def test_a_failed_post_has_its_code_message_and_attempts(
    publishing: Publishing, connections: Connections
) -> None:
    failure = fail_post(upload(publishing))
    publishing.execute(failure)
    (post,) = await listed(connections)
    assert (post.code, post.message) == (failure.code, failure.message)
    assert post.attempts == failure.attempt


async def test_pages_of_any_size_list_each_post_once_oldest_first(
    publishing: Publishing, connections: Connections
) -> None:
    post_ids = [upload(publishing, minutes=minutes) for minutes in (1, 2, 2, 2, 3)]
    at_once = await listed(connections)
    assert [post.since for post in at_once] == sorted(post.since for post in at_once)
    assert {post.post_id for post in at_once} == set(post_ids)

    for limit in (1, 2):
        after, paged = None, []
        for _ in post_ids:
            page = await listed(connections, limit=limit, after=after)
            paged += page
            after = page[-1] if page else after
        assert paged == at_once


async def test_each_filter_lists_exactly_its_posts(
    publishing: Publishing, connections: Connections
) -> None:
    early, late = upload(publishing, minutes=1), upload(publishing, minutes=2)
    failed = upload(publishing, minutes=3)
    publishing.execute(fail_post(failed))
    at = {post.post_id: post.since for post in await listed(connections)}

    for asked, expected in (
        (UnfinishedFilter(post_id=late), {late}),
        (UnfinishedFilter(state="waiting"), {early, late}),
        (UnfinishedFilter(state="failed"), {failed}),
        (UnfinishedFilter(code="internal_error"), {failed}),
        (UnfinishedFilter(code="out_of_memory"), set()),
        (UnfinishedFilter(since=at[late]), {late, failed}),
        (UnfinishedFilter(until=at[late]), {early}),
    ):
        found = await listed(connections, asked)
        assert {post.post_id for post in found} == expected, asked
