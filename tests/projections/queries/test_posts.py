"""Reads on a real PostgreSQL: who sees which posts, page by page."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.event_store.publishing import Publishing
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from projections.queries.posts import (
    PageStart,
    PostFilter,
    get_image,
    get_post,
    list_posts,
    projection_lag,
)
from tests.histories import (
    NOON,
    OWNER,
    confirm_upload,
    create_post,
    delete_post,
    origin,
    publishing_commands,
)

pytestmark = pytest.mark.anyio

Connections = AsyncConnectionPool[AsyncConnection[object]]
STRANGER = uuid4()


def publish(publishing: Publishing, post_id: UUID) -> None:
    for command in publishing_commands(post_id):
        publishing.execute(command)


async def test_owners_see_their_posts_in_every_status_and_others_only_published_ones(
    publishing: Publishing, connections: Connections
) -> None:
    pending, published, deleted = uuid4(), uuid4(), uuid4()
    publishing.execute(create_post(pending))
    publish(publishing, published)
    publish(publishing, deleted)
    publishing.execute(delete_post(deleted))
    await catch_up(connections, POSTS, position=None)
    async with connections.connection() as connection:
        for post_id, owner_sees, stranger_sees in (
            (pending, True, False),
            (published, True, True),
            (deleted, False, False),
        ):
            for reader_id, sees in ((OWNER, owner_sees), (STRANGER, stranger_sees)):
                post = await get_post(connection, post_id, reader_id=reader_id)
                assert (post is not None) == sees


async def test_a_post_shows_its_variants_and_counters(
    publishing: Publishing, connections: Connections
) -> None:
    post_id = uuid4()
    publish(publishing, post_id)
    await catch_up(connections, POSTS, position=None)
    async with connections.connection() as connection:
        await connection.execute("UPDATE post_metadata SET like_count = 3")
        post = await get_post(connection, post_id, reader_id=STRANGER)
        assert post is not None
        assert set(post.images) == {"thumbnail", "medium", "original"}
        assert (post.like_count, post.comment_count, post.view_count) == (3, 0, 0)
        image = post.images["medium"]
        assert await get_image(connection, image.key) == image
        assert await get_image(connection, "uploads/x/original") is None


async def test_pages_show_every_post_once_newest_first(
    publishing: Publishing, connections: Connections
) -> None:
    for minutes in (3, 1, 2, 2, 5):
        publishing.execute(create_post(origin=origin(at=NOON + timedelta(minutes=minutes))))
    await catch_up(connections, POSTS, position=None)
    asked = PostFilter(reader_id=OWNER, user_id=OWNER)
    seen = []
    start = None
    async with connections.connection() as connection:
        while page := await list_posts(connection, asked, limit=2, start=start):
            seen += page
            assert len(seen) <= 5
            start = PageStart(page[-1].created_at, page[-1].id)
    assert [post.created_at.minute for post in seen] == [5, 3, 2, 2, 1]
    assert len({post.id for post in seen}) == 5


@pytest.mark.parametrize("user_id", [OWNER, None], ids=["of one user", "of all"])
async def test_pages_show_every_post_of_one_moment_once(
    publishing: Publishing, connections: Connections, user_id: UUID | None
) -> None:
    post_ids = {uuid4() for _ in range(8)}
    for post_id in post_ids:
        publishing.execute(create_post(post_id, origin=origin(at=NOON)))
    await catch_up(connections, POSTS, position=None)
    asked = PostFilter(reader_id=OWNER, user_id=user_id)
    seen, start = [], None
    async with connections.connection() as connection:
        # The order is the query's own, not that of an index which happens to serve it.
        for plan in ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"):
            await connection.execute(f"SET {plan} = off".encode())
        for _ in post_ids:
            (post,) = await list_posts(connection, asked, limit=1, start=start)
            seen.append(post.id)
            start = PageStart(post.created_at, post.id)
        assert await list_posts(connection, asked, limit=1, start=start) == []
    assert seen == sorted(post_ids, reverse=True)


@pytest.mark.parametrize(
    ("reader", "of_owner_only", "status", "expected"),
    [
        (OWNER, True, None, 3),
        (OWNER, True, "processing", 1),
        (OWNER, False, None, 3),
        (OWNER, False, "pending", 1),
        (STRANGER, True, None, 1),
        (STRANGER, True, "pending", 0),
        (STRANGER, False, None, 1),
        (STRANGER, False, "published", 1),
    ],
)
async def test_a_filter_never_shows_more_than_the_reader_may_see(
    publishing: Publishing,
    connections: Connections,
    reader: UUID,
    of_owner_only: bool,  # noqa: FBT001 - a column of the table above
    status: str | None,
    expected: int,
) -> None:
    processing = uuid4()
    publishing.execute(create_post())
    publishing.execute(create_post(processing))
    publishing.execute(confirm_upload(processing))
    publish(publishing, uuid4())
    await catch_up(connections, POSTS, position=None)
    user_id = OWNER if of_owner_only else None
    asked = PostFilter(reader_id=reader, user_id=user_id, status=status)  # type: ignore[arg-type]
    async with connections.connection() as connection:
        assert len(await list_posts(connection, asked, limit=10)) == expected


async def test_the_lag_is_what_has_not_been_projected_yet(
    publishing: Publishing, connections: Connections
) -> None:
    publish(publishing, uuid4())
    async with connections.connection() as connection:
        assert (await projection_lag(connection, "posts")).events == 6
        await catch_up(connections, POSTS, position=None)
        assert (await projection_lag(connection, "posts")).events == 0
