"""Turns: within a lane, users are served one after the other, however much each of them has."""

from uuid import UUID, uuid4

import pytest
from procrastinate import App

from domain.event_store.publishing import Publishing
from tests.histories import (
    OWNER,
    confirm_upload,
    create_post,
    delete_post,
    fail_post,
    publishing_commands,
    retry_post,
)
from tests.sql import Connections, run
from transcoder.queue.depth import queue_depth, seconds_per_post
from transcoder.queue.reprocessing import enqueue_reprocessing, jobs_of_run

pytestmark = pytest.mark.anyio


async def turns(connections: Connections, *, queue_name: str = "transcode") -> list[str]:
    """Whose photos are fetched, in order."""
    async with connections.connection() as connection:
        found = await connection.execute(
            "SELECT left(args ->> 'user_id', 1) FROM procrastinate_jobs WHERE status = 'todo'"
            " AND queue_name = %s ORDER BY priority DESC, id",
            [queue_name],
        )
        return [row[0] for row in await found.fetchall()]  # type: ignore[index]


def upload_for(publishing: Publishing, user: str) -> None:
    post_id = uuid4()
    publishing.execute(create_post(post_id, user_id=UUID(user * 32)))
    publishing.execute(confirm_upload(post_id))


async def test_users_take_turns_however_many_photos_one_of_them_has(
    publishing: Publishing, connections: Connections
) -> None:
    for user in "aaaaabacbb":
        upload_for(publishing, user)
    assert await turns(connections) == [*"abc", *"ab", *"ab", *"aaa"]


async def test_a_thousand_photos_of_one_user_are_no_crowd_to_another(
    publishing: Publishing, connections: Connections
) -> None:
    for _ in range(1000):
        upload_for(publishing, "a")
    upload_for(publishing, "b")
    assert (await turns(connections))[:3] == [*"aba"]


async def test_reprocessing_takes_turns_with_other_bulk_work_and_between_users(
    publishing: Publishing, connections: Connections
) -> None:
    for _ in range(3):
        post_id = uuid4()
        user_id = UUID("a" * 32)
        publishing.execute(create_post(post_id, user_id=user_id))
        publishing.execute(confirm_upload(post_id))
        publishing.execute(fail_post(post_id))
        publishing.execute(retry_post(post_id, user_id=user_id), lane="bulk")
    for user in "bbc":
        async with connections.connection() as connection:
            run_id = uuid4()
            user_id = UUID(user * 32)
            await enqueue_reprocessing(connection, post_id=uuid4(), user_id=user_id, run_id=run_id)
    assert await turns(connections, queue_name="bulk") == [*"abc", *"ab", "a"]


async def test_a_second_run_of_reprocessing_takes_over_what_the_first_one_left(
    queue: App, connections: Connections
) -> None:
    waiting, running, first, second = (uuid4() for _ in range(4))
    async with connections.connection() as connection:

        async def defer_both(run_id: UUID) -> None:
            for post_id in (running, waiting):
                await enqueue_reprocessing(
                    connection, post_id=post_id, user_id=OWNER, run_id=run_id
                )

        await defer_both(first)
        job = await queue.job_manager.fetch_job(["bulk"], await queue.job_manager.register_worker())
        assert job is not None
        await defer_both(second)
        assert [await jobs_of_run(connection, run_id) for run_id in (first, second)] == [0, 2]
        # Nor does anything keep the one that runs from going back to wait.
        await queue.job_manager.retry_job(job)
        assert (await queue_depth(connection, "bulk")).waiting == 2


async def test_what_is_left_over_never_comes_before_a_duty(
    publishing: Publishing, connections: Connections
) -> None:
    await run(
        connections,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, status)"
        " VALUES ('housekeeping', 'expired_uploads.close', 10, 'doing')",
    )
    post_id = uuid4()
    publishing.execute(create_post(post_id))
    publishing.execute(delete_post(post_id))
    async with connections.connection() as connection:
        found = await connection.execute(
            "SELECT max(priority) FROM procrastinate_jobs WHERE task_name LIKE 'post.%'"
        )
        assert await found.fetchone() == (0,)


async def test_who_comes_later_neither_waits_for_the_many_nor_overtakes_them_for_ever(
    publishing: Publishing, connections: Connections
) -> None:
    for _ in range(5):
        upload_for(publishing, "a")
    # Three turns have been served, and the third one's photo is worked on.
    await run(connections, "DELETE FROM procrastinate_jobs WHERE priority > -2")
    await run(connections, "UPDATE procrastinate_jobs SET status = 'doing' WHERE priority = -2")
    for user in "bbcd":
        upload_for(publishing, user)
    assert await turns(connections) == [*"bcd", *"ab", "a"]


async def test_a_damaged_event_keeps_nobody_from_hearing_when_there_is_room(
    publishing: Publishing, connections: Connections
) -> None:
    for _ in range(2):
        for command in publishing_commands(uuid4()):
            publishing.execute(command)
    async with connections.connection() as connection:
        await connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        pace = await seconds_per_post(connection)
        await connection.execute("ALTER TABLE post_events DISABLE TRIGGER USER")
        await connection.execute(
            "UPDATE post_events SET state = '' WHERE notification_id ="
            " (SELECT max(notification_id) FROM post_events WHERE topic = 'post.published')"
        )
        assert pace is not None
        assert await seconds_per_post(connection) == pace
