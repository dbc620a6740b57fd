"""Queued jobs on a real PostgreSQL: their failures by code, their fair share, and lost ones."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.event_store.publishing import Publishing
from domain.jobs import lock_of
from tests.histories import confirm_upload, create_post
from tests.sql import Connections, run
from transcoder.queue.queued_jobs import lost_jobs, note_failure

pytestmark = pytest.mark.anyio


def upload_for(publishing: Publishing, user_id: UUID) -> None:
    post_id = uuid4()
    publishing.execute(create_post(post_id, user_id=user_id))
    publishing.execute(confirm_upload(post_id))


async def fetch(connections: Connections, query: Any) -> list[Any]:
    async with connections.connection() as connection:
        return await (await connection.execute(query)).fetchall()


async def test_failures_of_each_code_are_counted_apart(
    publishing: Publishing, connections: Connections
) -> None:
    upload_for(publishing, uuid4())
    [(job_id,)] = await fetch(connections, "SELECT id FROM procrastinate_jobs")
    async with connections.connection() as connection:
        for code in ("worker_lost", "timed_out", "worker_lost"):
            await note_failure(connection, job_id, code)

    [(failures, last)] = await fetch(
        connections, "SELECT args -> 'failures', args ->> 'last_failure' FROM procrastinate_jobs"
    )
    assert (failures, last) == ({"worker_lost": 2, "timed_out": 1}, "worker_lost")


async def test_a_running_job_counts_in_its_users_fair_share(
    publishing: Publishing, connections: Connections
) -> None:
    user_id = uuid4()
    upload_for(publishing, user_id)
    upload_for(publishing, user_id)
    await run(connections, "UPDATE procrastinate_jobs SET status = 'doing' WHERE priority < 0")
    await run(connections, "DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    upload_for(publishing, user_id)
    upload_for(publishing, uuid4())
    waiting = "SELECT priority FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id"
    assert await fetch(connections, waiting) == [(-2,), (-1,)]


async def test_only_a_running_job_of_a_post_can_be_lost(
    publishing: Publishing, connections: Connections
) -> None:
    upload_for(publishing, uuid4())
    await run(
        connections,
        "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('duties', 'a.duty')",
        "UPDATE procrastinate_jobs SET status = 'doing'",
    )
    async with connections.connection() as connection:
        lost = await lost_jobs(connection, idle_for=timedelta(0))
    posts = await fetch(
        connections, "SELECT args ->> 'post_id' FROM procrastinate_jobs WHERE args ? 'post_id'"
    )
    assert [(job.post_id,) for job in lost] == posts


async def test_the_lock_of_a_post_is_the_same_in_python_and_in_sql(
    connections: Connections,
) -> None:
    post_id = uuid4()
    async with connections.connection() as connection:
        found = await connection.execute("SELECT job_lock(%s)", [post_id])
        assert await found.fetchall() == [(lock_of(post_id),)]
    assert lock_of(post_id) != lock_of(uuid4())
