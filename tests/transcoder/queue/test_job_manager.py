"""The end of a job is recorded whatever replies are lost and whatever this machine's clock says."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from procrastinate import App, utils
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from transcoder.queue.app import open_queue

pytestmark = pytest.mark.anyio


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[App]:
    queue = open_queue(database_url, pool_size=2)
    queue.task(name="nothing")(lambda: None)
    async with queue.open_async():
        yield queue


@pytest.fixture
async def job(queue: App) -> Job:
    """A running job."""
    await queue.configure_task("nothing").defer_async()
    worker_id = await queue.job_manager.register_worker()
    job = await queue.job_manager.fetch_job(None, worker_id)
    assert job is not None
    return job


def lose_replies(queue: App, monkeypatch: pytest.MonkeyPatch, *, number: int) -> None:
    """Let the next statements succeed and their replies be lost."""
    connector = queue.job_manager.connector
    execute, lost = connector.execute_query_async, 0

    async def execute_and_lose(**statement: Any) -> None:
        nonlocal lost
        await execute(**statement)
        if lost < number:
            lost += 1
            raise ConnectorException from psycopg.OperationalError("the connection is gone")

    monkeypatch.setattr(connector, "execute_query_async", execute_and_lose)


async def statuses(connections: AsyncConnectionPool[AsyncConnection[object]]) -> list[Any]:
    async with connections.connection() as connection:
        found = await connection.execute("SELECT status::text FROM procrastinate_jobs")
        return [row[0] for row in await found.fetchall()]  # type: ignore[index]


async def test_the_end_of_a_job_is_retried_until_the_database_replies(
    queue: App,
    job: Job,
    connections: AsyncConnectionPool[AsyncConnection[object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lose_replies(queue, monkeypatch, number=2)
    await queue.job_manager.finish_job(job, status=Status.SUCCEEDED, delete_job=True)
    assert await statuses(connections) == []


async def test_the_retry_of_a_job_is_retried_until_the_database_replies(
    queue: App,
    job: Job,
    connections: AsyncConnectionPool[AsyncConnection[object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lose_replies(queue, monkeypatch, number=1)
    await queue.job_manager.retry_job(job)
    assert await statuses(connections) == ["todo"]


async def test_a_statement_that_is_wrong_is_not_retried(queue: App, job: Job) -> None:
    with pytest.raises(ConnectorException):
        await queue.job_manager.retry_job(job, queue="x" * 1000)


async def test_the_next_attempt_waits_its_time_whatever_this_machines_clock_says(
    queue: App,
    job: Job,
    connections: AsyncConnectionPool[AsyncConnection[object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = utils.utcnow() + timedelta(minutes=7)
    monkeypatch.setattr(utils, "utcnow", lambda: wrong)
    await queue.job_manager.retry_job(job, retry_at=wrong + timedelta(seconds=30))
    async with connections.connection() as connection:
        found = await connection.execute(
            "SELECT scheduled_at - now() BETWEEN '20 s' AND '30 s' FROM procrastinate_jobs"
        )
        assert await found.fetchone() == (True,)


async def test_a_lane_that_was_considered_stalled_is_stopped(queue: App) -> None:
    worker_id = await queue.job_manager.register_worker()
    await queue.job_manager.update_heartbeat(worker_id)
    assert await queue.job_manager.prune_stalled_workers(-1) == [worker_id]
    with pytest.raises(ConnectorException, match="considered stalled"):
        await queue.job_manager.update_heartbeat(worker_id)
