"""The loops of the projector outlive whatever goes wrong, and say what to do about it."""

from collections.abc import Callable
from typing import Any, NoReturn

import anyio
import pytest
from structlog.testing import capture_logs

from domain.event_store.publishing import Publishing
from projections.follow.projection import POSTS
from projections.follow.runner import follow
from projections.log_tree import sealer
from projections.log_tree.sealer import keep_sealed
from projections.restarts import keep_running
from tests.histories import create_post
from tests.projections.read_tables import wait_for_posts
from tests.read_only import read_only
from tests.sql import Connections

pytestmark = pytest.mark.anyio


async def wait_until(is_true: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not is_true():
            await anyio.sleep(0.02)


async def wait_for_leaves(connections: Connections, number: int) -> None:
    with anyio.fail_after(60):
        while await _leaves(connections) < number:
            await anyio.sleep(0.02)


async def _leaves(connections: Connections) -> int:
    async with connections.connection() as connection:
        found: Any = await (await connection.execute("SELECT count(*) FROM log_leaves")).fetchone()
    return int(found[0])


async def test_runner_and_sealer_outlive_a_database_that_is_read_only_for_a_while(
    publishing: Publishing,
    connections: Connections,
    postgres_server: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sealer, "SEAL_SECONDS", 0.05)
    publishing.execute(create_post())
    with capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow, database_url, POSTS)
            tasks.start_soon(keep_sealed, database_url)
            await wait_for_posts(connections, 1)
            await wait_for_leaves(connections, 1)
            async with read_only(postgres_server, database_url):
                await wait_until(lambda: {"projection", "sealer"} <= refused_loops(logs))
            await connections.check()
            publishing.execute(create_post())
            await wait_for_posts(connections, 2)
            await wait_for_leaves(connections, 2)
            tasks.cancel_scope.cancel()


def refused_loops(logs: Any) -> set[str]:
    """The loops that a read-only database has refused."""
    return {log["loop"] for log in logs if "is read-only" in log.get("advice", "")}


async def test_a_bug_in_a_loop_is_logged_with_its_traceback_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("domain.event_store.outages.FIRST_PAUSE_SECONDS", 0.01)
    runs = 0

    async def run() -> NoReturn:
        nonlocal runs
        runs += 1
        raise KeyError(runs)

    with capture_logs() as logs:
        async with anyio.create_task_group() as tasks:

            async def keep() -> None:
                await keep_running(run, loop="loop", projection="posts")

            tasks.start_soon(keep)
            await wait_until(lambda: runs == 3)
            tasks.cancel_scope.cancel()
    assert [log["pause_seconds"] for log in logs] == [0.01, 0.02, 0.04][: len(logs)]
    assert {(log["loop"], log["projection"]) for log in logs} == {("loop", "posts")}
    assert all(isinstance(log["exc_info"], KeyError) for log in logs)
