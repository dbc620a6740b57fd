"""The audit trail at a million events: what questions take, and what their indexes cost appends.

`NOVA_BENCH_EVENTS` sets another number of events.
"""

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from statistics import median
from typing import Final, LiteralString, cast
from uuid import UUID, uuid4

import anyio
import psycopg
import pytest
from eventsourcing.domain import DomainEventProtocol
from msgspec.structs import replace
from psycopg import AsyncConnection

from api.migrate import migrate
from domain.event_store.mapper import EventMapper
from domain.event_store.publishing import Publishing
from projections.audit.events import EventFilter, page_of_events, stream_events
from projections.audit.slo import measure_runs
from projections.audit.stats import audit_stats
from projections.follow.projection import AUDIT
from projections.rebuild.rebuild import rebuild
from tests.histories import NOON, after, create_post, publishing_commands

pytestmark = pytest.mark.anyio

EVENTS: Final = int(os.environ.get("NOVA_BENCH_EVENTS", "1000000"))
# The most posts that one user has, the oldest of all.
POSTS_OF_ONE_USER: Final = 50_000
BUSY_USER: Final = UUID(int=0xB)
EVENTS_OF_A_SMOKE_TEST: Final = 6_000
ROUNDS: Final = 15
HARD_LIMIT_MS: Final = 100.0
# Of reports over the whole log, and of all events of the busiest user.
REPORT_LIMIT_MS: Final = 1000.0
INDEXES: Final[dict[str, LiteralString]] = {
    "post_events_by_topic": "(topic, notification_id)",
    "post_events_by_actor": "(event_field(state, 'actor'), notification_id)",
    "post_events_by_hour": "(event_hour(state), notification_id)",
    "post_events_by_creator": "(event_field(state, 'user_id')) WHERE topic = 'post.created'",
}
# One post after another, a user for every thousand, from a month before noon until noon.
_FILL: Final = """
INSERT INTO post_events (originator_id, originator_version, topic, state)
SELECT post.id, event.version, event.topic,
       convert_to((event.state::jsonb || jsonb_build_object(
           'post_id', post.id, 'event_id', gen_random_uuid(),
           'recorded_at', to_char(post.at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
       ) || CASE WHEN event.state::jsonb ->> 'actor' LIKE 'user:%%' THEN jsonb_build_object(
           'actor', 'user:' || post.user_id, 'user_id', post.user_id
       ) ELSE '{}' END)::text, 'UTF8')
FROM (
    SELECT gen_random_uuid() AS id, number,
           CASE WHEN number <= %(of_one_user)s THEN %(busy_user)s::uuid
                ELSE lpad((number %% 1000)::text, 32, '0')::uuid END AS user_id,
           %(noon)s::timestamp - interval '30 days' * (1 - number / %(posts)s::float) AS at
    FROM generate_series(1, %(posts)s) AS number
) AS post
CROSS JOIN unnest(%(versions)s::bigint[], %(topics)s::text[], %(states)s::text[])
    AS event (version, topic, state)
ORDER BY post.number, event.version
"""


@pytest.fixture(scope="module")
def events_count(request: pytest.FixtureRequest) -> int:
    """A million where figures are asked for, a few where only the code is tried."""
    is_measured = bool(request.config.getoption("benchmark_enable"))
    return EVENTS if is_measured else EVENTS_OF_A_SMOKE_TEST


@pytest.fixture(scope="module")
def database_url(postgres_server: str, events_count: int) -> str:
    """A database with a log of that many events."""
    name = f"audit_{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    url = f"{postgres_server.rpartition('/')[0]}/{name}"
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_FILL, _one_post(posts=events_count // 6))
        connection.execute("VACUUM ANALYZE post_events")
    return url


@pytest.fixture(scope="module")
def summarised_url(database_url: str) -> str:
    """The same database with its summaries, verified against the log."""

    async def fill() -> None:
        await rebuild(database_url, AUDIT, report=lambda *_: None, workers=2)

    anyio.run(fill)
    return database_url


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection[object]]:
    """A connection to it."""
    opened = await AsyncConnection.connect(database_url, autocommit=True)
    async with opened:
        yield opened


async def test_every_question_is_answered_within_the_limit(
    connection: AsyncConnection[object], events_count: int
) -> None:
    user, since = UUID(int=7), NOON - timedelta(days=20)
    questions = {
        "everything": EventFilter(),
        "a type": EventFilter(type="post.published"),
        "a type that never was": EventFilter(type="post.failed"),
        "a user's posts": EventFilter(user_id=user),
        "an actor": EventFilter(actor=f"user:{user}"),
        "an hour": EventFilter(since=since, until=since + timedelta(hours=1)),
        "until 20 days ago": EventFilter(until=since),
        "since 20 days ago": EventFilter(since=since),
        "a type in a week": EventFilter(
            type="post.created", since=since, until=since + timedelta(days=7)
        ),
    }
    print(f"\n{events_count:,} events; a page of 100, newest first")
    for name, asked in questions.items():
        spent: list[float] = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            await page_of_events(connection, asked, limit=100, order="newest")
            spent.append((time.perf_counter() - started) * 1000)
        print(f"  {name:24} median {median(spent):7.2f} ms   max {max(spent):7.2f} ms")
        assert median(spent) < HARD_LIMIT_MS


@pytest.mark.usefixtures("summarised_url")
async def test_reports_on_the_whole_log_answer_within_a_second(
    connection: AsyncConnection[object], events_count: int
) -> None:
    await connection.execute("VACUUM ANALYZE audit_posts, audit_runs")
    busy = EventFilter(user_id=BUSY_USER)
    reports: dict[str, Callable[[], Awaitable[object]]] = {
        "nova audit stats": partial(audit_stats, connection),
        "nova audit slo": partial(measure_runs, connection, since=None, until=None),
        "the busiest user, newest": partial(
            page_of_events, connection, busy, limit=100, order="newest"
        ),
        "the busiest user, oldest": partial(
            page_of_events, connection, busy, limit=100, order="oldest"
        ),
        "the busiest user's failures": partial(
            page_of_events, connection, replace(busy, type="post.failed"), limit=100
        ),
    }
    print(f"\n{events_count:,} events; reports")
    for name, ask in reports.items():
        spent: list[float] = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            await ask()
            spent.append((time.perf_counter() - started) * 1000)
        print(f"  {name:28} median {median(spent):7.2f} ms   max {max(spent):7.2f} ms")
        assert median(spent) < REPORT_LIMIT_MS


async def test_a_stream_tells_the_whole_log(
    connection: AsyncConnection[object], events_count: int
) -> None:
    started, count = time.perf_counter(), 0
    async for batch in stream_events(lambda: nullcontext(connection), EventFilter()):
        count += len(batch)
    print(f"\nread all: {count / (time.perf_counter() - started):,.0f} events/s")
    assert count == events_count // 6 * 6


def test_the_indexes_of_the_audit_cost_appends_little(database_url: str, events_count: int) -> None:
    appends = 3000 if events_count == EVENTS else 20
    spent: dict[str, list[float]] = {"with": [], "without": []}
    with Publishing(database_url, pool_size=1) as publishing:
        for _ in range(3):
            spent["with"] += _append(publishing.execute, appends)
            _each_index(database_url, drop=True)
            spent["without"] += _append(publishing.execute, appends)
            _each_index(database_url, drop=False)
    print()
    for name, each in spent.items():
        print(f"append {name:7} indexes: median {median(each) * 1e6:,.0f} µs")
    # A few appends say nothing.
    assert appends == 20 or median(spent["with"]) < 2 * median(spent["without"])


def _append(execute: Callable[..., object], count: int) -> list[float]:
    spent: list[float] = []
    for command in [create_post(user_id=uuid4()) for _ in range(count)]:
        started = time.perf_counter()
        execute(command)
        spent.append(time.perf_counter() - started)
    return spent


def _each_index(url: str, *, drop: bool) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for name, definition in INDEXES.items():
            if drop:
                connection.execute(f"DROP INDEX {name}".encode())
            else:
                connection.execute(f"CREATE INDEX {name} ON post_events {definition}".encode())


def _one_post(*, posts: int) -> dict[str, object]:
    _, events = after(*publishing_commands(uuid4()))
    encode = EventMapper().to_stored_event
    stored = [encode(cast("DomainEventProtocol[UUID]", event)) for event in events]
    return {
        "posts": posts,
        "of_one_user": min(POSTS_OF_ONE_USER, posts // 3),
        "busy_user": BUSY_USER,
        "noon": NOON.replace(tzinfo=None),
        "versions": [event.originator_version for event in stored],
        "topics": [event.topic for event in stored],
        "states": [event.state.decode() for event in stored],
    }
