"""The lanes of a worker outlive whatever goes wrong, and say what to do about it."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import anyio
import anyio.lowlevel
import pytest
from procrastinate import App, PsycopgConnector
from procrastinate.worker import Worker
from structlog.testing import capture_logs

from tests.read_only import read_only
from transcoder.queue.app import open_queue
from transcoder.worker import Lane, RunningLanes, work

pytestmark = pytest.mark.anyio


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[App]:
    queue = open_queue(database_url, pool_size=4)
    async with queue.open_async():
        yield queue


@asynccontextmanager
async def working(queue: App, lanes: RunningLanes | None = None) -> AsyncIterator[anyio.Event]:
    """A lane at work until the block ends; the event is set whenever it does its job."""
    is_done = anyio.Event()

    @queue.task(name="note", queue="lane")
    async def note() -> None:
        is_done.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work, queue, [Lane("lane", 1)], lanes or RunningLanes())
        await anyio.lowlevel.checkpoint()
        yield is_done
        os.kill(os.getpid(), signal.SIGTERM)


async def test_a_lane_outlives_a_database_that_is_read_only_for_a_while(
    queue: App, postgres_server: str, database_url: str
) -> None:
    with capture_logs() as logs, anyio.fail_after(60):
        async with working(queue) as is_done:
            async with read_only(postgres_server, database_url):
                while not any("is read-only" in log.get("advice", "") for log in logs):
                    await anyio.sleep(0.02)
            await cast("PsycopgConnector", queue.connector).pool.check()
            await queue.configure_task("note").defer_async()
            await is_done.wait()


async def test_a_lane_outlives_an_error_that_no_code_foresees(
    queue: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, failures = Worker.run, [KeyError("a bug"), ZeroDivisionError("another")]

    async def fail_first(worker: Worker) -> None:
        if failures:
            raise failures.pop()
        await run(worker)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(Worker, "run", fail_first)
    with capture_logs() as logs, anyio.fail_after(60):
        async with working(queue) as is_done:
            await queue.configure_task("note").defer_async()
            await is_done.wait()
    assert [log["pause_seconds"] for log in logs if log["event"] == "lane_ended"] == [1, 2]


async def test_a_process_shows_whether_a_lane_runs(
    queue: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, failures = Worker.run, [KeyError("a bug")]
    lanes, seen = RunningLanes(), []

    async def fail_first(worker: Worker) -> None:
        seen.append(lanes.why_none())
        if failures:
            raise failures.pop()
        await run(worker)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(Worker, "run", fail_first)
    assert lanes.why_none() == "no lane runs"
    with anyio.fail_after(60):
        async with working(queue, lanes) as is_done:
            while failures or lanes.why_none() is None:
                await anyio.sleep(0.01)
            assert lanes.why_none() == "no lane runs"
            await queue.configure_task("note").defer_async()
            await is_done.wait()
            assert lanes.why_none() is None
    assert seen == [None, None]
    assert lanes.why_none() == "no lane runs"
