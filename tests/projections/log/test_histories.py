"""Histories and shards on a real PostgreSQL: each post once and whole, up to a position."""

from itertools import pairwise
from uuid import UUID, uuid4

import pytest

from domain.event_store.mapper import UnreadableEvent
from domain.event_store.publishing import Publishing
from domain.events import Event
from projections.log import shards
from projections.log.histories import Scope, histories
from projections.log.reading import head_position
from projections.log.shards import EVERY_POST, Posts, shards_of_log
from tests.histories import confirm_upload, create_post, publishing_commands
from tests.sql import Connections, append_poison

pytestmark = pytest.mark.anyio

OLDEST_ID, NEWEST_ID = UUID(int=0), UUID(int=2**128 - 1)


def publish(publishing: Publishing, number: int) -> list[UUID]:
    post_ids = sorted(uuid4() for _ in range(number))
    for post_id in post_ids:
        for command in publishing_commands(post_id):
            publishing.execute(command)
    return post_ids


async def read(
    connections: Connections,
    scope: Scope = EVERY_POST,
    *,
    position: int | None = None,
    left_out: frozenset[int] = frozenset(),
) -> list[tuple[UUID, list[Event]]]:
    async with connections.connection() as connection, connection.transaction():
        if position is None:
            position = await head_position(connection)
        found = histories(connection, scope, position=position, left_out=left_out)
        return [history async for history in found]


async def test_each_post_comes_once_in_order_with_all_its_events(
    publishing: Publishing, connections: Connections
) -> None:
    post_ids = publish(publishing, 3)

    found = await read(connections)

    assert [post_id for post_id, _ in found] == post_ids
    assert [events for _, events in found] == [publishing.history(each) for each in post_ids]


async def test_what_came_after_the_position_is_not_in_a_history(
    publishing: Publishing, connections: Connections
) -> None:
    post_id = uuid4()
    created = publishing.execute(create_post(post_id)).position
    publishing.execute(confirm_upload(post_id))

    [(_, events)] = await read(connections, position=created)

    assert events == publishing.history(post_id)[:1]
    assert await read(connections, position=0) == []


async def test_a_scope_of_some_posts_holds_those_alone(
    publishing: Publishing, connections: Connections
) -> None:
    first, second, _ = publish(publishing, 3)

    found = await read(connections, Posts(frozenset({first, second})))

    assert [post_id for post_id, _ in found] == [first, second]


async def test_an_unreadable_event_is_an_error_unless_it_is_left_out(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    publish(publishing, 1)
    append_poison(database_url)
    async with connections.connection() as connection:
        poison = await head_position(connection)

    with pytest.raises(UnreadableEvent):
        await read(connections)
    found = await read(connections, left_out=frozenset({poison}))

    assert sorted(len(events) for _, events in found) == [0, 6]


async def test_shards_follow_each_other_without_a_gap_and_hold_every_post_once(
    publishing: Publishing, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    post_ids = publish(publishing, 6)
    monkeypatch.setattr(shards, "EVENTS_PER_SHARD", 10)
    async with connections.connection() as connection:
        divided = await shards_of_log(connection, await head_position(connection))

    assert len(divided) > 1
    assert (divided[0].first, divided[-1].last) == (OLDEST_ID, NEWEST_ID)
    assert all(one.last.int + 1 == other.first.int for one, other in pairwise(divided))
    found = [post_id for shard in divided for post_id, _ in await read(connections, shard)]
    assert found == post_ids


async def test_a_short_log_is_one_shard(connections: Connections) -> None:
    async with connections.connection() as connection:
        assert await shards_of_log(connection, 0) == [EVERY_POST]
        assert await shards_of_log(connection, shards.EVENTS_PER_SHARD) == [EVERY_POST]
