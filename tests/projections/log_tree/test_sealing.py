"""Sealing: whoever changes history by hand is found, at the first event that was changed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, LiteralString
from uuid import uuid4

import anyio
import psycopg
import pytest
from anyio import to_thread

from domain.event_store.publishing import Publishing
from projections.log_tree import sealing as log_tree_sealing
from projections.log_tree.sealing import CheckpointMissing
from projections.log_tree.tree import (
    SealableEvent,
)
from projections.log_tree.verification import LogVerification
from tests.histories import create_post
from tests.projections.log_tree.sealed_log import (
    FITTING_LEAVES,
    MOVABLE,
    RESEAL,
    SPOIL,
    Connections,
    exported,
    sealed,
    tamper,
    verified,
    write_posts,
)


@pytest.mark.anyio
async def test_a_log_that_nobody_touched_is_as_it_was(
    publishing: Publishing, connections: Connections
) -> None:
    assert await sealed(connections) == 0
    assert (await verified(connections)).events == 0
    write_posts(publishing)
    assert await sealed(connections) == 18
    assert await sealed(connections) == 0
    write_posts(publishing, 1)
    assert await verified(connections) == LogVerification(
        events=18, position=18, checkpoints=1, unsealed=6, finding=None
    )


@pytest.mark.anyio
async def test_the_database_and_this_code_hash_the_same_bytes(connections: Connections) -> None:
    event = SealableEvent(2**40 + 7, uuid4(), 3, "post.grün", b"\x00\xff{}")
    async with connections.connection() as connection:
        cursor = await connection.execute(
            "SELECT log_leaf(%s, %s, %s, %s, %s)",
            [event.position, event.post_id, event.version, event.topic, event.state],
        )
        assert await cursor.fetchone() == (event.leaf_hash(),)


@pytest.mark.anyio
async def test_gaps_in_the_positions_are_nothing_to_report(
    publishing: Publishing, connections: Connections
) -> None:
    (post_id,) = write_posts(publishing, 1)
    async with connections.connection() as connection:
        await connection.execute(
            "SELECT nextval(pg_get_serial_sequence('post_events', 'notification_id'))"
        )
    write_posts(publishing, 1)
    await sealed(connections)
    found = await verified(connections)
    assert (found.events, found.position, found.finding) == (12, 13, None)
    assert publishing.post(post_id).status == "published"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("what", "position", "version", "statements"),
    [
        ("changed", 7, 1, (SPOIL,)),
        (
            "changed",
            9,
            3,
            ("UPDATE post_events SET topic = 'post.x' WHERE notification_id = 9",),
        ),
        (
            "changed",
            12,
            6,
            ("UPDATE post_events SET originator_version = 9 WHERE notification_id = 12",),
        ),
        ("removed", 8, 2, ("DELETE FROM post_events WHERE notification_id = 8",)),
        ("removed", 16, 4, ("DELETE FROM post_events WHERE notification_id >= 16",)),
        (
            "inserted",
            19,
            1,
            (
                MOVABLE,
                (
                    "INSERT INTO post_events SELECT gen_random_uuid(), 1, topic, state, 19 "
                    "FROM post_events WHERE notification_id = 1"
                ),
            ),
        ),
        (
            "reordered",
            9,
            3,
            (
                MOVABLE,
                "UPDATE post_events SET notification_id = 1000 WHERE notification_id = 9",
                "UPDATE post_events SET notification_id = 9 WHERE notification_id = 11",
                "UPDATE post_events SET notification_id = 11 WHERE notification_id = 1000",
            ),
        ),
        (
            "reordered",
            2,
            2,
            (MOVABLE, "UPDATE post_events SET notification_id = 19 WHERE notification_id = 2"),
        ),
        ("changed", 4, 4, ("UPDATE log_leaves SET leaf_hash = sha256('') WHERE position = 4",)),
        ("changed", 4, 9, ("UPDATE log_leaves SET originator_version = 9 WHERE position = 4",)),
        ("inserted", 4, 4, ("DELETE FROM log_leaves WHERE position = 4",)),
    ],
)
async def test_whoever_tampers_is_found_at_the_first_event(
    publishing: Publishing,
    connections: Connections,
    what: str,
    position: int,
    version: int,
    statements: tuple[LiteralString, ...],
) -> None:
    posts = write_posts(publishing)
    async with connections.connection() as connection:  # position 19 is a gap
        await connection.execute(
            "SELECT nextval(pg_get_serial_sequence('post_events', 'notification_id'))"
        )
    posts += write_posts(publishing, 1)
    await sealed(connections)
    await tamper(connections, *statements)
    found = (await verified(connections)).finding
    assert found is not None
    assert (found.what, found.position, found.version) == (what, position, version)
    assert found.until_position is None
    if position != 19:
        assert found.post_id == posts[(position - 1) // 6]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("what", "statements"),
    [
        ("changed", (SPOIL, *FITTING_LEAVES)),
        ("removed", ("DELETE FROM post_events WHERE notification_id = 7", *FITTING_LEAVES)),
        ("changed", ("UPDATE log_checkpoints SET root_hash = sha256('') WHERE position = 12",)),
        ("changed", ("UPDATE log_checkpoints SET frontier = sha256('') WHERE position = 12",)),
        ("inserted", ("UPDATE log_checkpoints SET tree_size = 11 WHERE position = 12",)),
    ],
)
async def test_seals_that_were_made_to_fit_do_not_fit_the_head(
    publishing: Publishing,
    connections: Connections,
    what: str,
    statements: tuple[LiteralString, ...],
) -> None:
    for _ in range(3):
        write_posts(publishing, 1)
        await sealed(connections)
    await tamper(connections, *statements)
    found = (await verified(connections)).finding
    assert found is not None
    assert (found.what, found.position, found.until_position) == (what, 7, 12)


@pytest.mark.anyio
async def test_a_tail_that_was_cut_off_with_its_leaves_is_missed_by_the_head(
    publishing: Publishing, connections: Connections
) -> None:
    write_posts(publishing, 1)
    await sealed(connections)
    write_posts(publishing, 1)
    await sealed(connections)
    cut: LiteralString = "DELETE FROM post_events WHERE notification_id > 6"
    await tamper(connections, cut, "DELETE FROM log_leaves WHERE position > 6")
    found = (await verified(connections)).finding
    assert found is not None
    assert (found.what, found.position, found.until_position) == ("removed", 7, 12)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("what", "statements"),
    [
        ("changed", (SPOIL,)),
        ("removed", ("DELETE FROM post_events WHERE notification_id = 7",)),
        ("removed", ("DELETE FROM post_events WHERE notification_id > 6",)),
        # An exported checkpoint names no position: what follows it looks changed.
        (
            "changed",
            (
                MOVABLE,
                (
                    "INSERT INTO post_events SELECT gen_random_uuid(), 1, topic, state, 7 "
                    "FROM post_events WHERE notification_id = 1"
                ),
            ),
        ),
    ],
)
@pytest.mark.parametrize("resealed", [True, False])
async def test_who_rewrites_everything_is_found_by_an_exported_head(
    publishing: Publishing,
    connections: Connections,
    what: str,
    statements: tuple[LiteralString, ...],
    resealed: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    write_posts(publishing, 1)
    await sealed(connections)
    first = await exported(connections)
    if MOVABLE in statements:
        async with connections.connection() as connection:
            await connection.execute(
                "SELECT nextval(pg_get_serial_sequence('post_events', 'notification_id'))"
            )
    write_posts(publishing, 2)
    await sealed(connections)
    second = await exported(connections)
    await tamper(connections, *statements, *RESEAL)
    if resealed:
        await sealed(connections)
    assert (await verified(connections)).finding is None
    assert (await verified(connections, first)).finding is None
    found = (await verified(connections, first, second)).finding
    assert found is not None
    assert (found.what, found.position, found.until_position) == (what, 7, 18)
    alone = (await verified(connections, second)).finding
    assert alone is not None
    assert (alone.position, alone.until_position) == (1, 18)


@pytest.mark.anyio
async def test_a_head_that_was_removed_by_hand_is_noticed(
    publishing: Publishing, connections: Connections
) -> None:
    write_posts(publishing, 1)
    await sealed(connections)
    await tamper(connections, "DELETE FROM log_checkpoints")
    with pytest.raises(CheckpointMissing):
        await sealed(connections)
    found = (await verified(connections)).finding
    assert found is not None
    assert (found.position, found.until_position) == (1, 6)


@pytest.mark.anyio
async def test_seals_are_append_only(publishing: Publishing, connections: Connections) -> None:
    write_posts(publishing, 1)
    await sealed(connections)
    statements: tuple[LiteralString, ...] = (
        "UPDATE log_leaves SET position = 99",
        "DELETE FROM log_leaves",
        "TRUNCATE log_leaves",
        "UPDATE log_checkpoints SET position = 99",
        "DELETE FROM log_checkpoints",
        "TRUNCATE log_checkpoints",
    )
    async with connections.connection() as connection:
        for statement in statements:
            with pytest.raises(psycopg.errors.RestrictViolation):
                await connection.execute(statement)


@contextmanager
def writers(publishing: Publishing, number: int) -> Iterator[None]:
    """Writers that append for as long as the block runs."""
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            publishing.execute(create_post())

    threads = [threading.Thread(target=write) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.anyio
async def test_two_sealers_beside_writers_miss_nothing(
    publishing: Publishing, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_tree_sealing, "BATCH_EVENTS", 40)
    counts: list[int] = []

    async def keep_sealing() -> None:
        with anyio.move_on_after(2):
            while True:
                counts.append(await sealed(connections))

    write = writers(publishing, 4)
    await to_thread.run_sync(write.__enter__)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep_sealing)
            tasks.start_soon(keep_sealing)
    finally:
        await to_thread.run_sync(partial(write.__exit__, None, None, None))
    await sealed(connections)
    found = await verified(connections)
    assert (found.finding, found.unsealed) == (None, 0)
    assert found.events > 100
    assert found.events == await _count(connections)


async def _count(connections: Connections) -> int:
    async with connections.connection() as connection:
        cursor: Any = await connection.execute("SELECT count(*) FROM post_events")
        return int((await cursor.fetchone())[0])
