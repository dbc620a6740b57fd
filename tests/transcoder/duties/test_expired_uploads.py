"""Expired uploads: one that cannot be closed keeps no other open, and each is counted once."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.event_store.publishing import Publishing
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from tests.histories import EXPIRY, confirm_upload, create_post, delete_post
from tests.sql import Connections
from tests.transcoder.rendered import in_threads
from transcoder.duties import expired_uploads
from transcoder.duties.expired_uploads import GRACE, close_expired_uploads

pytestmark = pytest.mark.anyio

LATE = EXPIRY + GRACE + timedelta(seconds=1)


@pytest.fixture
async def expired(publishing: Publishing, connections: Connections) -> list[UUID]:
    """Three posts whose upload expired, as the read table has it."""
    post_ids = [uuid4() for _ in range(3)]
    for post_id in post_ids:
        publishing.execute(create_post(post_id))
    await catch_up(connections, POSTS, position=None)
    return post_ids


async def test_an_upload_that_its_owner_deleted_keeps_no_other_open(
    publishing: Publishing, connections: Connections, expired: list[UUID]
) -> None:
    publishing.execute(delete_post(expired[1]))
    assert await close_expired_uploads(connections, in_threads(publishing), now=LATE) == 2
    assert {publishing.post(post_id).status for post_id in expired} == {"deleted"}


async def test_a_damaged_post_keeps_no_other_open(
    publishing: Publishing, connections: Connections, expired: list[UUID]
) -> None:
    async with connections.connection() as connection:
        await connection.execute("ALTER TABLE post_events DISABLE TRIGGER USER")
        await connection.execute(
            "UPDATE post_events SET state = '{}' WHERE originator_id = %s", [expired[1]]
        )
    assert await close_expired_uploads(connections, in_threads(publishing), now=LATE) == 2


async def test_an_upload_that_came_after_all_is_neither_closed_nor_counted(
    publishing: Publishing, connections: Connections, expired: list[UUID]
) -> None:
    publishing.execute(confirm_upload(expired[1]))
    assert await close_expired_uploads(connections, in_threads(publishing), now=LATE) == 2
    assert publishing.post(expired[1]).status == "processing"


async def test_one_run_closes_a_bounded_number(
    publishing: Publishing,
    connections: Connections,
    expired: list[UUID],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expired_uploads, "MAX_UPLOADS", 2)
    closed = []
    for _ in range(2):
        closed.append(await close_expired_uploads(connections, in_threads(publishing), now=LATE))
        await catch_up(connections, POSTS, position=None)
    assert closed == [2, 1]
    assert {publishing.post(post_id).status for post_id in expired} == {"deleted"}


async def test_uploads_expire_by_the_databases_clock(
    publishing: Publishing, connections: Connections
) -> None:
    async with connections.connection() as connection:
        cursor = await connection.execute("SELECT now()")
        now: Any = await cursor.fetchone()
    for expiry in (now[0], now[0] - timedelta(hours=1)):
        publishing.execute(create_post(upload_expires_at=expiry))
    await catch_up(connections, POSTS, position=None)
    assert await close_expired_uploads(connections, in_threads(publishing)) == 1


async def test_uploads_that_have_ended_take_no_room_in_a_run(
    publishing: Publishing, connections: Connections, expired: list[UUID]
) -> None:
    publishing.execute(confirm_upload(expired[0]))
    publishing.execute(delete_post(expired[1]))
    await catch_up(connections, POSTS, position=None)
    async with connections.connection() as connection:
        found = await connection.execute("SELECT * FROM expired_uploads(%s, 9)", [LATE])
        assert await found.fetchall() == [(expired[2],)]
