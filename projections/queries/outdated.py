"""Outdated posts: published with an older recipe, and what came of making them again."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection

from domain.post import fold
from projections.connection import fetch_all, fetch_value, fetch_values
from projections.log.histories import histories
from projections.log.reading import head_position
from projections.log.shards import Posts

PAGE: Final = 200
_FIRST: Final = UUID(int=0)

_CHOSEN: Final = """
FROM posts WHERE status = 'published'
  AND (%(since)s::timestamptz IS NULL OR published_at >= %(since)s)
  AND (%(user_id)s::uuid IS NULL OR user_id = %(user_id)s)
"""
_PAGE: Final = f"SELECT id {_CHOSEN} AND id > %(after)s ORDER BY id LIMIT %(limit)s"
_COUNT: Final = f"SELECT count(*) {_CHOSEN}"
# What a run has led to, from the position on where it began.
_OUTCOMES: Final = """
SELECT originator_id AS post_id, event_field(state, 'code') AS code,
       event_field(state, 'message') AS message
FROM post_events
WHERE topic IN ('post.reprocessed', 'post.not_reprocessed')
  AND notification_id > %(position)s AND event_field(state, 'correlation_id') = %(run_id)s
ORDER BY notification_id
"""


class PublishedFilter(Struct, frozen=True, kw_only=True):
    """Which published posts are asked for; everything without a value."""

    since: datetime | None = None
    user_id: UUID | None = None


class OutdatedPost(Struct, frozen=True, kw_only=True):
    """A post whose oldest variant was made with `recipe_version`."""

    post_id: UUID
    user_id: UUID
    recipe_version: int


class Renewal(Struct, frozen=True, kw_only=True):
    """How making one post again has ended; `code` and `message` say why it could not be."""

    post_id: UUID
    code: str | None
    message: str | None


class Visited(Struct, frozen=True, kw_only=True):
    """So many published posts were looked at, and these of them are outdated."""

    posts: int
    outdated: list[OutdatedPost]


async def count_published(connection: AsyncConnection[object], asked: PublishedFilter) -> int:
    """How many posts there are to look at."""
    return int(await fetch_value(connection, _COUNT, _parameters(asked)))


async def find_outdated(
    connection: AsyncConnection[object], asked: PublishedFilter, *, recipe_version: int
) -> AsyncGenerator[Visited]:
    """Walk through the published posts, page by page, and pick those of older recipes.

    Raises:
        UnreadableEvent: an event of theirs is something this code cannot read.
    """
    page = await _page(connection, asked, after=_FIRST)
    while page:
        found = await _outdated(connection, page, recipe_version=recipe_version)
        yield Visited(posts=len(page), outdated=found)
        page = await _page(connection, asked, after=page[-1])


async def renewals(
    connection: AsyncConnection[object], run_id: UUID, *, position: int
) -> list[Renewal]:
    """What the jobs of one run have led to after `position`."""
    parameters = {"position": position, "run_id": str(run_id)}
    return await fetch_all(connection, Renewal, _OUTCOMES, parameters)


async def _page(
    connection: AsyncConnection[object], asked: PublishedFilter, *, after: UUID
) -> list[UUID]:
    parameters = {**_parameters(asked), "after": after, "limit": PAGE}
    return await fetch_values(connection, _PAGE, parameters)


def _parameters(asked: PublishedFilter) -> dict[str, object]:
    return {"since": asked.since, "user_id": asked.user_id}


async def _outdated(
    connection: AsyncConnection[object], page: list[UUID], *, recipe_version: int
) -> list[OutdatedPost]:
    found = []
    async with connection.transaction():
        position = await head_position(connection)
        scope = Posts(frozenset(page))
        async for post_id, events in histories(connection, scope, position=position):
            post = fold(events)
            if post and post.status == "published" and post.recipe_version < recipe_version:
                found.append(
                    OutdatedPost(
                        post_id=post_id, user_id=post.user_id, recipe_version=post.recipe_version
                    )
                )
    return found
