"""Stalled jobs are taken over each on its own: one that cannot be holds up no other."""

from collections.abc import AsyncIterator
from typing import Any, LiteralString
from uuid import UUID, uuid4

import anyio
import pytest
from procrastinate import App
from psycopg import AsyncConnection
from structlog.testing import capture_logs

from domain.event_store.publishing import Publishing
from tests.histories import confirm_upload, create_post
from tests.sql import Connections, run
from transcoder.duties.stalled_jobs import take_over_stalled_jobs
from transcoder.queue.app import open_queue

pytestmark = pytest.mark.anyio

JOBS_ARE_STALLED: LiteralString = "UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL"


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[App]:
    queue = open_queue(database_url, pool_size=2)
    async with queue.open_async():
        yield queue


async def stalled_posts(
    publishing: Publishing, connections: Connections, *, number: int
) -> list[UUID]:
    posts = [uuid4() for _ in range(number)]
    for post_id in posts:
        publishing.execute(create_post(post_id))
        publishing.execute(confirm_upload(post_id))
    await run(connections, JOBS_ARE_STALLED)
    return posts


async def states(connections: Connections) -> dict[str, tuple[str, Any]]:
    """The status and the failures of the job of each post."""
    async with connections.connection() as connection:
        found: Any = await connection.execute(
            "SELECT args ->> 'post_id', status::text, args -> 'failures' FROM procrastinate_jobs"
            " WHERE args ? 'post_id'"
        )
        return {post_id: (status, failures) async for post_id, status, failures in found}


async def test_a_job_that_the_database_refuses_holds_up_no_other(
    queue: App, publishing: Publishing, connections: Connections
) -> None:
    stuck, *others = await stalled_posts(publishing, connections, number=4)
    async with connections.connection() as connection:
        # Its place in the queue is taken.
        await connection.execute(
            "UPDATE procrastinate_jobs SET queueing_lock = 'one' WHERE args ->> 'post_id' = %s",
            [str(stuck)],
        )
        await connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock)"
            " VALUES ('bulk', 'another', 'one')"
        )
    with capture_logs() as logs:
        await take_over_stalled_jobs(queue, connections)

    assert await states(connections) == {
        str(stuck): ("doing", None),
        **{str(other): ("todo", {"worker_lost": 1}) for other in others},
    }
    assert [log["event"] for log in logs if log["log_level"] == "error"] == [
        "stalled_job_not_taken_over"
    ]


async def test_a_job_that_another_session_has_locked_holds_up_no_other(
    queue: App, publishing: Publishing, connections: Connections, database_url: str
) -> None:
    locked, *others = await stalled_posts(publishing, connections, number=3)
    async with await AsyncConnection.connect(database_url) as stuck:
        await stuck.execute(
            "SELECT FROM procrastinate_jobs WHERE args ->> 'post_id' = %s FOR UPDATE", [str(locked)]
        )
        with anyio.fail_after(60):
            await take_over_stalled_jobs(queue, connections)
    found = await states(connections)
    assert found[str(locked)] == ("doing", None)
    assert {found[str(other)][0] for other in others} == {"todo"}


async def test_a_duty_that_cannot_be_deleted_holds_up_no_job(
    queue: App, publishing: Publishing, connections: Connections
) -> None:
    await run(
        connections,
        "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('duties', 'a.duty')",
    )
    [post_id] = await stalled_posts(publishing, connections, number=1)
    await run(
        connections,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RAISE check_violation; END'",
        "CREATE TRIGGER refuse BEFORE DELETE ON procrastinate_jobs"
        " FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    await take_over_stalled_jobs(queue, connections)
    assert await states(connections) == {str(post_id): ("todo", {"worker_lost": 1})}
