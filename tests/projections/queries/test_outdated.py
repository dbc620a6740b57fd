"""Outdated posts on a real PostgreSQL: every published post of an older recipe is found, once."""

from datetime import timedelta
from uuid import UUID, uuid4

import anyio
import pytest

from domain.event_store.publishing import Publishing
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from projections.queries import outdated
from projections.queries.outdated import (
    PublishedFilter,
    ReprocessOutcome,
    count_published,
    find_outdated,
    reprocess_outcomes,
)
from tests.histories import (
    NOON,
    OWNER,
    RECIPE_VERSION,
    confirm_upload,
    create_post,
    delete_post,
    fail_post,
    fail_reprocessing,
    publishing_commands,
    reprocess_post,
)
from tests.sql import Connections

pytestmark = pytest.mark.anyio

NEXT_RECIPE = RECIPE_VERSION + 1
STRANGER = uuid4()


def publish(publishing: Publishing, number: int = 1) -> list[UUID]:
    post_ids = [uuid4() for _ in range(number)]
    for post_id in post_ids:
        for command in publishing_commands(post_id):
            publishing.execute(command)
    return sorted(post_ids)


async def found(
    connections: Connections, asked: PublishedFilter, *, recipe_version: int = NEXT_RECIPE
) -> tuple[int, list[UUID]]:
    """How many posts were visited, and which of them are outdated; the count agrees."""
    await catch_up(connections, POSTS, position=None)
    visited, post_ids = 0, []
    async with connections.connection() as connection:
        with anyio.fail_after(30):
            pages = find_outdated(connection, asked, recipe_version=recipe_version)
            async for page in pages:
                visited += page.posts
                post_ids += [post.post_id for post in page.outdated]
        assert await count_published(connection, asked) == visited
    return visited, post_ids


async def test_every_published_post_is_visited_once_whatever_the_size_of_a_page(
    publishing: Publishing, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    post_ids = publish(publishing, 5)

    for page in (1, 2, 5):
        monkeypatch.setattr(outdated, "PAGE", page)
        assert await found(connections, PublishedFilter()) == (5, post_ids)


async def test_posts_without_variants_to_replace_are_not_visited(
    publishing: Publishing, connections: Connections
) -> None:
    publishing.execute(create_post())
    for ending in (fail_post, delete_post):
        post_id = uuid4()
        for command in (create_post(post_id), confirm_upload(post_id), ending(post_id)):
            publishing.execute(command)

    assert await found(connections, PublishedFilter()) == (0, [])


async def test_posts_of_the_recipe_or_a_newer_one_are_not_outdated(
    publishing: Publishing, connections: Connections
) -> None:
    (old,) = publish(publishing)
    (renewed,) = publish(publishing)
    publishing.execute(reprocess_post(renewed))

    assert await found(connections, PublishedFilter()) == (2, [old])
    assert await found(connections, PublishedFilter(), recipe_version=RECIPE_VERSION) == (2, [])


async def test_a_filter_narrows_what_is_visited(
    publishing: Publishing, connections: Connections
) -> None:
    post_ids = publish(publishing, 2)

    for asked, expected in (
        (PublishedFilter(user_id=OWNER), post_ids),
        (PublishedFilter(user_id=STRANGER), []),
        (PublishedFilter(since=NOON), post_ids),
        (PublishedFilter(since=NOON + timedelta(seconds=1)), []),
    ):
        assert await found(connections, asked) == (len(expected), expected)


async def test_a_run_is_told_what_became_of_its_own_posts(
    publishing: Publishing, connections: Connections
) -> None:
    renewed, left, other = publish(publishing), publish(publishing), publish(publishing)
    replacing, leaving = reprocess_post(renewed[0]), fail_reprocessing(left[0])
    publishing.execute(replacing)
    position = publishing.execute(leaving).position
    publishing.execute(reprocess_post(other[0]))
    assert position is not None

    async with connections.connection() as connection:
        of_first = await reprocess_outcomes(connection, replacing.origin.correlation_id, position=0)
        of_second = await reprocess_outcomes(connection, leaving.origin.correlation_id, position=0)
        later = await reprocess_outcomes(
            connection, leaving.origin.correlation_id, position=position
        )

    assert of_first == [ReprocessOutcome(post_id=renewed[0], code=None, message=None)]
    assert of_second == [
        ReprocessOutcome(post_id=left[0], code=leaving.code, message=leaving.message),
    ]
    assert later == []
