"""The audit trail on a real PostgreSQL: every event found, in order, and who asked is kept."""

from datetime import datetime, timedelta
from itertools import chain
from uuid import UUID, uuid4

import anyio
import pytest
from anyio import to_thread
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.event_store.publishing import Publishing
from projections.audit import events as audit
from projections.audit.events import (
    AuditedEvent,
    EventFilter,
    Order,
    Topic,
    audited,
    history_of,
    page_of_events,
    stream_events,
)
from projections.audit.stats import audit_stats
from projections.follow.batch import project_batch
from projections.follow.projection import AUDIT
from tests.histories import (
    NOON,
    OWNER,
    confirm_upload,
    create_post,
    fail_post,
    origin,
    publishing_commands,
)

pytestmark = pytest.mark.anyio

Connections = AsyncConnectionPool[AsyncConnection[object]]
STRANGER = UUID("5f3759df-0000-4000-8000-000000000002")


def publish(publishing: Publishing, *, user_id: UUID = OWNER) -> UUID:
    post_id = uuid4()
    actor = f"user:{user_id}"
    publishing.execute(create_post(post_id, user_id=user_id, origin=origin(actor=actor)))
    for command in publishing_commands(post_id)[1:]:
        publishing.execute(command)
    return post_id


def fail(publishing: Publishing) -> UUID:
    post_id = uuid4()
    for command in (create_post(post_id), confirm_upload(post_id), fail_post(post_id)):
        publishing.execute(command)
    return post_id


async def positions(
    connections: Connections, asked: EventFilter, *, limit: int, order: Order = "oldest"
) -> list[int]:
    """All positions, page by page."""
    found: list[int] = []
    after: int | None = None
    with anyio.fail_after(60):
        while True:
            async with connections.connection() as connection:
                page = await page_of_events(
                    connection, asked, limit=limit, order=order, after=after
                )
            found += [event.position for event in page.items]
            after = page.next_after
            if after is None:
                return found


async def test_a_history_shows_every_event_with_all_that_it_says(
    publishing: Publishing, connections: Connections
) -> None:
    post_id = publish(publishing)
    async with connections.connection() as connection:
        shown = [audited(row) for row in await history_of(connection, post_id)]
    assert [event.version for event in shown] == [1, 2, 3, 4, 5, 6]
    first = shown[0]
    assert (first.type, first.actor) == ("post.created", f"user:{OWNER}")
    assert first.recorded_at == "2026-11-23T12:00:00Z"
    assert first.data["filename"] == "IMG_0001.jpg"
    assert {"event_id", "schema_version"} <= set(first.data)
    assert not {"actor", "recorded_at", "post_id", "version", "type"} & set(first.data)
    assert first.correlation_id == first.causation_id
    assert len(str(first.correlation_id)) == 36


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 4, 1000])
async def test_pages_of_any_size_tell_everything_once_and_in_order(
    publishing: Publishing, connections: Connections, order: Order, limit: int
) -> None:
    for _ in range(3):
        publish(publishing)
    found = await positions(connections, EventFilter(), limit=limit, order=order)
    assert found == sorted(found, reverse=order == "newest")
    assert len(set(found)) == len(found) == 18


async def test_each_filter_finds_exactly_its_events(
    publishing: Publishing, connections: Connections
) -> None:
    published, failed = publish(publishing), fail(publishing)
    other = publish(publishing, user_id=STRANGER)

    async def found(asked: EventFilter) -> list[AuditedEvent]:
        async with connections.connection() as connection:
            return (await page_of_events(connection, asked, limit=100)).items

    kinds: tuple[tuple[Topic, int], ...] = (
        ("post.created", 3),
        ("post.variant_ready", 6),
        ("post.failed", 1),
        ("post.deleted", 0),
    )
    for kind, count in kinds:
        assert len(await found(EventFilter(type=kind))) == count
    assert {each.post_id for each in await found(EventFilter(post_id=failed))} == {failed}
    of_owner = await found(EventFilter(user_id=OWNER))
    assert {each.post_id for each in of_owner} == {published, failed}
    # All that happened to the stranger's post, whoever did it.
    assert [each.post_id for each in await found(EventFilter(user_id=STRANGER))] == [other] * 6
    by_stranger = await found(EventFilter(actor=f"user:{STRANGER}"))
    assert [each.type for each in by_stranger] == ["post.created"]
    both = EventFilter(user_id=STRANGER, type="post.published")
    assert [each.post_id for each in await found(both)] == [other]
    assert await found(EventFilter(actor="nobody")) == []


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_a_span_of_time_includes_its_start_and_not_its_end(
    publishing: Publishing, connections: Connections, order: Order
) -> None:
    for hour in range(10):
        publishing.execute(create_post(origin=origin(at=NOON + timedelta(hours=hour))))
    span = EventFilter(since=NOON + timedelta(hours=3), until=NOON + timedelta(hours=6))
    async with connections.connection() as connection:
        page = await page_of_events(connection, span, limit=100, order=order)
        after_all = EventFilter(since=NOON + timedelta(days=3))
        nothing = await page_of_events(connection, after_all, limit=100, order=order)
        backwards = EventFilter(since=span.until, until=span.since)
        none = await page_of_events(connection, backwards, limit=100, order=order)
    hours = sorted(str(event.recorded_at) for event in page.items)
    assert hours == [f"2026-11-23T{hour}:00:00Z" for hour in (15, 16, 17)]
    assert nothing.items == none.items == []


async def test_clocks_that_disagree_hide_nothing(
    publishing: Publishing, connections: Connections
) -> None:
    # Recorded by turns on a machine whose clock is right and on one that is a day behind.
    for minute in range(0, 120, 2):
        behind = timedelta(days=1 if minute % 4 else 0)
        at = NOON + timedelta(minutes=minute) - behind
        publishing.execute(create_post(origin=origin(at=at)))
    since, until = NOON + timedelta(minutes=40), NOON + timedelta(minutes=80)
    async with connections.connection() as connection:
        span = EventFilter(since=since, until=until)
        found = (await page_of_events(connection, span, limit=100)).items
        everything = (await page_of_events(connection, EventFilter(), limit=100)).items
    expected = [
        event
        for event in everything
        if since <= datetime.fromisoformat(str(event.recorded_at)) < until
    ]
    assert found == expected
    assert found


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_pages_miss_nothing_while_others_append(
    publishing: Publishing, connections: Connections, order: Order
) -> None:
    before = [publish(publishing) for _ in range(5)]
    done = anyio.Event()

    async def append() -> None:
        def append_all() -> None:
            for _ in range(60):
                publishing.execute(create_post())

        await to_thread.run_sync(append_all)
        done.set()

    seen: list[list[int]] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(append)
        while not done.is_set():
            seen.append(await positions(connections, EventFilter(), limit=3, order=order))
    final = await positions(connections, EventFilter(), limit=1000)
    assert len(final) == len(before) * 6 + 60
    for found in seen:
        # What a walk saw is the log as it was, without a hole.
        assert sorted(found) == final[: len(found)]


async def test_a_stream_is_the_pages_in_one(
    publishing: Publishing, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "BATCH", 4)
    for _ in range(3):
        publish(publishing)
    async with connections.connection() as connection:
        for order, limit in (("oldest", None), ("newest", None), ("newest", 7), ("oldest", 8)):
            asked = EventFilter(actor="system:transcoder")
            stream = stream_events(
                connections.connection,
                asked,
                order=order,  # type: ignore[arg-type]
                limit=limit,
            )
            batches = [batch async for batch in stream]
            page = await page_of_events(connection, asked, limit=limit or 1000, order=order)  # type: ignore[arg-type]
            assert list(chain.from_iterable(batches)) == page.items
            assert max(map(len, batches)) <= 4


async def test_a_state_that_is_no_event_is_shown_as_it_is(
    connections: Connections, publishing: Publishing
) -> None:
    publish(publishing)
    statement = (
        "INSERT INTO post_events (originator_id, originator_version, topic, state) "
        "VALUES (%s, 1, 'post.created', %s)"
    )
    async with connections.connection() as connection:
        for state in (b"not json", b"\xff\xfe", b'{"recorded_at": "never"}', b"[]"):
            await connection.execute(statement, [uuid4(), state])
        page = await page_of_events(connection, EventFilter(), limit=4, order="newest")
    states = [event.data.get("unreadable_state") for event in page.items]
    assert states == [b"[]", None, b"\xff\xfe", b"not json"]
    assert page.items[1].recorded_at == "never"


async def test_statistics_count_what_is_there_and_nothing_when_nothing_is(
    publishing: Publishing, connections: Connections
) -> None:
    async with connections.connection() as connection:
        empty = await audit_stats(connection)
        assert (empty.events, empty.first_position, empty.events_by_type) == (0, None, {})
        publish(publishing)
        fail(publishing)
        await project_batch(connection, AUDIT)
        stats = await audit_stats(connection)
    assert stats.events == 9
    assert stats.events_by_type["post.variant_ready"] == 3
    assert stats.events_by_type["post.failed"] == 1
    assert stats.first_recorded_at == NOON
    assert stats.posts_by_status == {"published": 1, "failed": 1}
    assert stats.counted_up_to == stats.last_position == 9


async def test_a_stream_ends_at_the_head_of_the_log_as_it_was_when_it_began(
    publishing: Publishing, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "BATCH", 2)
    for _ in range(5):
        publishing.execute(create_post())
    found: list[int] = []
    with anyio.fail_after(60):
        async for events in stream_events(connections.connection, EventFilter()):
            found += [event.position for event in events]
            publishing.execute(create_post())
            publishing.execute(create_post())
            assert len(found) <= 5
    assert found == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("since", [None, NOON])
async def test_a_stream_goes_no_further_than_it_is_asked_to(
    publishing: Publishing, connections: Connections, since: datetime | None
) -> None:
    for _ in range(5):
        publishing.execute(create_post())
    asked = EventFilter(since=since, at_most=3)
    found = [
        event.position
        async for events in stream_events(connections.connection, asked)
        for event in events
    ]
    assert found == [1, 2, 3]


async def test_a_history_is_that_of_its_post_alone(
    publishing: Publishing, connections: Connections
) -> None:
    post_ids = [publish(publishing) for _ in range(3)]
    async with connections.connection() as connection:
        for post_id in post_ids:
            assert {row.post_id for row in await history_of(connection, post_id)} == {post_id}
