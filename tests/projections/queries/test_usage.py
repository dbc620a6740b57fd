"""Usage on a real PostgreSQL: what a user's posts take up, at any moment of their lives."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from domain.commands import Command
from domain.event_store.publishing import Publishing
from projections.follow.catch_up import catch_up
from projections.follow.projection import USAGE
from projections.queries.usage import Usage, usage_of
from tests.histories import (
    NOON,
    OWNER,
    confirm_upload,
    create_post,
    delete_post,
    expire_upload,
    fail_post,
    publishing_commands,
    record_variant,
    reprocess_post,
    retry_post,
)
from tests.sql import Connections

pytestmark = pytest.mark.anyio

PHOTO_BYTES = 200_000
VARIANT_BYTES = 4321
NEWER_VARIANT_BYTES = 3456


async def usage_after(
    publishing: Publishing,
    connections: Connections,
    *commands: Command,
    user_id: UUID = OWNER,
    at: timedelta = timedelta(),
) -> Usage:
    for command in commands:
        publishing.execute(command)
    await catch_up(connections, USAGE, position=None)
    async with connections.connection() as connection:
        return await usage_of(connection, user_id, at=NOON + at)


async def test_a_user_without_posts_uses_nothing(
    publishing: Publishing, connections: Connections
) -> None:
    assert await usage_after(publishing, connections, create_post(), user_id=uuid4()) == Usage(
        posts={}, original_bytes=0, variant_bytes=0, recent_uploads=0
    )


@pytest.mark.parametrize("at_once", [True, False])
async def test_usage_follows_a_post_through_its_life(
    publishing: Publishing, connections: Connections, *, at_once: bool
) -> None:
    post_id = uuid4()
    steps: list[tuple[list[Command], Usage]] = [
        ([create_post(post_id)], usage("pending", original=0, variants=0, uploads=0)),
        ([confirm_upload(post_id)], usage("processing", variants=0)),
        ([record_variant(post_id, "thumbnail")], usage("processing", variants=VARIANT_BYTES)),
        ([fail_post(post_id)], usage("failed", variants=VARIANT_BYTES)),
        ([retry_post(post_id)], usage("processing", variants=VARIANT_BYTES)),
        (publishing_commands(post_id)[3:], usage("published", variants=3 * VARIANT_BYTES)),
        ([reprocess_post(post_id)], usage("published", variants=3 * NEWER_VARIANT_BYTES)),
        ([delete_post(post_id)], usage("deleted", original=0, variants=0)),
    ]
    for end in range(1, len(steps) + 1) if not at_once else [len(steps)]:
        commands = steps[end - 1][0] if not at_once else [one for step, _ in steps for one in step]
        assert await usage_after(publishing, connections, *commands) == steps[end - 1][1]


def usage(status: str, *, variants: int, original: int = PHOTO_BYTES, uploads: int = 1) -> Usage:
    return Usage(
        posts={status: 1},  # type: ignore[dict-item]
        original_bytes=original,
        variant_bytes=variants,
        recent_uploads=uploads,
    )


async def test_an_upload_that_expired_takes_up_nothing(
    publishing: Publishing, connections: Connections
) -> None:
    post_id = uuid4()
    found = await usage_after(publishing, connections, create_post(post_id), expire_upload(post_id))
    assert found == usage("deleted", original=0, variants=0, uploads=0)


async def test_uploads_count_for_twenty_four_hours_even_if_deleted(
    publishing: Publishing, connections: Connections
) -> None:
    kept, deleted = uuid4(), uuid4()
    for post_id in (kept, deleted):
        publishing.execute(create_post(post_id))
        publishing.execute(confirm_upload(post_id))
    publishing.execute(delete_post(deleted))
    for at, uploads in (
        (timedelta(), 2),
        (timedelta(hours=24, microseconds=-1), 2),
        (timedelta(hours=24), 0),
        (timedelta(microseconds=-1), 0),
    ):
        found = await usage_after(publishing, connections, at=at)
        assert found.recent_uploads == uploads


async def test_users_are_counted_apart(publishing: Publishing, connections: Connections) -> None:
    other = uuid4()
    found = await usage_after(
        publishing,
        connections,
        *publishing_commands(uuid4()),
        *publishing_commands(uuid4()),
        create_post(user_id=other),
    )
    assert found.posts == {"published": 2}
    assert found.original_bytes == 2 * PHOTO_BYTES
    assert (await usage_after(publishing, connections, user_id=other)).posts == {"pending": 1}
