"""The swap on a real PostgreSQL: nobody waits long for it, and nothing unverified gets in."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import psycopg
import pytest
from msgspec.structs import replace

from domain.event_store.publishing import Publishing
from domain.events import Event, PostCreated
from projections.connection import connected
from projections.follow.batch import project_batch, tracking_position
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from projections.log.reading import head_position
from projections.rebuild import schema, swap
from projections.rebuild.rebuild import rebuild
from projections.rebuild.swap import NeverCaughtUp
from projections.rebuild.verify import Differs, verify
from projections.tables import posts
from projections.tables.change import Change
from tests.histories import create_post
from tests.projections.read_tables import rows, write_all_kinds_of_posts
from tests.sql import Connections

pytestmark = pytest.mark.anyio

WRONG = "A wrong row comes of this"


def quiet(phase: str, position: int, target: int) -> None:
    """Report nothing."""


def wrong_changes(events: Sequence[Event]) -> list[Change]:
    """As the table does it, with a mistake."""
    return posts.TABLE.changes(
        [
            replace(event, caption="changed")
            if isinstance(event, PostCreated) and event.caption == WRONG
            else event
            for event in events
        ]
    )


MISTAKEN = replace(POSTS, tables=(replace(posts.TABLE, changes=wrong_changes), *POSTS.tables[1:]))


def after_first_verification(
    monkeypatch: pytest.MonkeyPatch, append: Callable[[], object], *, times: int = 1
) -> None:
    """Append between the verification of what has come so far and the swap."""
    verify_between, left = swap._verify_between, times

    async def verify_and_append(*values: Any) -> None:
        nonlocal left
        await verify_between(*values)
        if left:
            left -= 1
            append()

    monkeypatch.setattr(swap, "_verify_between", verify_and_append)


async def test_a_long_reader_delays_the_swap_and_no_other_reader(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)
    waits: list[float] = []
    async with (
        connected(database_url) as long_reader,
        connected(database_url) as reader,
        anyio.create_task_group() as tasks,
    ):
        await long_reader.execute("BEGIN")
        await long_reader.execute("SELECT count(*) FROM posts")
        tasks.start_soon(_rebuild, database_url)
        started = time.monotonic()
        while time.monotonic() - started < 4:
            asked = time.monotonic()
            await reader.execute("SELECT count(*) FROM posts")
            waits.append(time.monotonic() - asked)
            await anyio.sleep(0.02)
        await long_reader.execute("COMMIT")
    # The swap tries for half a second at a time.
    assert max(waits) < 2


async def _rebuild(url: str) -> None:
    with anyio.fail_after(60):
        await rebuild(url, POSTS, report=quiet)


async def test_a_swap_gives_up_when_its_tables_are_never_free(
    publishing: Publishing,
    connections: Connections,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(swap, "ATTEMPTS", 2)
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)
    before = await rows(connections)
    async with connected(database_url) as reader, reader.transaction():
        await reader.execute("SELECT count(*) FROM posts")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await rebuild(database_url, POSTS, report=quiet)
    assert await rows(connections) == before


@pytest.mark.parametrize("moment", ["before the swap", "during the swap"])
async def test_the_last_events_are_verified_too(
    publishing: Publishing,
    connections: Connections,
    database_url: str,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)

    def append() -> None:
        publishing.execute(create_post(caption=WRONG))

    def report(phase: str, _position: int, _target: int) -> None:
        if phase == "swap" and moment == "before the swap":
            append()

    if moment == "during the swap":
        after_first_verification(monkeypatch, append)
    with pytest.raises(Differs):
        await rebuild(database_url, MISTAKEN, report=report)
    await catch_up(connections, POSTS, position=None)
    async with connections.connection() as connection:
        assert not (await verify(connection, POSTS)).differences


@pytest.mark.parametrize(("bursts", "is_swapped"), [(2, True), (3, False)])
async def test_a_swap_never_holds_the_projector_up_for_many_events(
    publishing: Publishing,
    connections: Connections,
    database_url: str,
    bursts: int,
    is_swapped: bool,  # noqa: FBT001 - a case
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(swap, "ATTEMPTS", 3)
    monkeypatch.setattr(swap, "LAST_EVENTS", 4)
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)

    def append() -> None:
        for _ in range(5):
            publishing.execute(create_post())

    after_first_verification(monkeypatch, append, times=bursts)
    if is_swapped:
        await rebuild(database_url, POSTS, report=quiet)
    else:
        with pytest.raises(NeverCaughtUp):
            await rebuild(database_url, POSTS, report=quiet)
    await catch_up(connections, POSTS, position=None)
    async with connections.connection() as connection:
        assert not (await verify(connection, POSTS)).differences


async def test_the_projector_goes_on_right_after_the_last_events_of_a_swap(
    publishing: Publishing,
    connections: Connections,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)
    after_first_verification(monkeypatch, lambda: publishing.execute(create_post()))

    await rebuild(database_url, POSTS, report=quiet)

    async with connections.connection() as connection:
        assert await tracking_position(connection, POSTS) == await head_position(connection)
        publishing.execute(create_post())
        await catch_up(connections, POSTS, position=None)
        assert await tracking_position(connection, POSTS) == await head_position(connection)
        assert (await verify(connection, POSTS)).differences == []


async def test_a_projector_has_to_wait_while_the_tables_are_swapped(
    publishing: Publishing,
    connections: Connections,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_all_kinds_of_posts(publishing)
    await catch_up(connections, POSTS, position=None)
    add_missing_rows, tried = schema.add_missing_rows, False

    async def try_to_project(*values: Any, **named: Any) -> None:
        nonlocal tried
        tried = True
        async with connections.connection() as other:
            await other.execute("SET lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                await project_batch(other, POSTS)
            await other.execute("RESET lock_timeout")
        await add_missing_rows(*values, **named)

    monkeypatch.setattr(swap, "add_missing_rows", try_to_project)
    await rebuild(database_url, POSTS, report=quiet)
    assert tried
