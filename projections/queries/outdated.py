"""Outdated posts: published with an older recipe, and the outcome of reprocessing them."""

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

_SELECTED: Final = """
FROM posts WHERE status = 'published'
  AND (%(since)s::timestamptz IS NULL OR published_at >= %(since)s)
  AND (%(user_id)s::uuid IS NULL OR user_id = %(user_id)s)
"""
_PAGE: Final = f"SELECT id {_SELECTED} AND id > %(after)s ORDER BY id LIMIT %(limit)s"
_COUNT: Final = f"SELECT count(*) {_SELECTED}"
# The events of one run; `position` is where the log ended when it began.
_OUTCOMES: Final = """
SELECT originator_id AS post_id, event_field(state, 'code') AS code,
       event_field(state, 'message') AS message
FROM post_events
WHERE topic IN ('post.reprocessed', 'post.not_reprocessed')
  AND notification_id > %(position)s AND event_field(state, 'correlation_id') = %(run_id)s
ORDER BY notification_id
"""


class PublishedFilter(Struct, frozen=True, kw_only=True):
    """Published posts to look at; None selects all."""

    since: datetime | None = None
    user_id: UUID | None = None


class OutdatedPost(Struct, frozen=True, kw_only=True):
    """A post whose oldest variant was made with `recipe_version`."""

    post_id: UUID
    user_id: UUID
    recipe_version: int


class ReprocessOutcome(Struct, frozen=True, kw_only=True):
    """How reprocessing one post ended; `code` and `message` are those of a failure."""

    post_id: UUID
    code: str | None
    message: str | None


class CheckedPage(Struct, frozen=True, kw_only=True):
    """How many published posts were checked, and those of them that are outdated."""

    posts: int
    outdated: list[OutdatedPost]


async def count_published(connection: AsyncConnection[object], wanted: PublishedFilter) -> int:
    """How many posts there are to check."""
    return int(await fetch_value(connection, _COUNT, _parameters(wanted)))


async def find_outdated(
    connection: AsyncConnection[object], wanted: PublishedFilter, *, recipe_version: int
) -> AsyncGenerator[CheckedPage]:
    """Check the published posts page by page for older recipes than `recipe_version`.

    Raises:
        UnreadableEvent: one of their events cannot be read.
    """
    page = await _page(connection, wanted, after=_FIRST)
    while page:
        found = await _outdated(connection, page, recipe_version=recipe_version)
        yield CheckedPage(posts=len(page), outdated=found)
        page = await _page(connection, wanted, after=page[-1])


async def reprocess_outcomes(
    connection: AsyncConnection[object], run_id: UUID, *, position: int
) -> list[ReprocessOutcome]:
    """The outcomes of one run that were recorded after `position`."""
    parameters = {"position": position, "run_id": str(run_id)}
    return await fetch_all(connection, ReprocessOutcome, _OUTCOMES, parameters)


async def _page(
    connection: AsyncConnection[object], wanted: PublishedFilter, *, after: UUID
) -> list[UUID]:
    parameters = {**_parameters(wanted), "after": after, "limit": PAGE}
    return await fetch_values(connection, _PAGE, parameters)


def _parameters(wanted: PublishedFilter) -> dict[str, object]:
    return {"since": wanted.since, "user_id": wanted.user_id}


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
