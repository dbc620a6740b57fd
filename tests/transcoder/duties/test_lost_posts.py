"""Lost posts: what is processing without a running job is queued again, and nothing else is."""

from typing import Any, LiteralString
from uuid import uuid4

import pytest
from procrastinate import App
from psycopg.rows import scalar_row
from structlog.testing import capture_logs

from domain.commands import Command
from domain.event_store.publishing import Publishing
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from tests.fake_object_store import FakeObjectStore
from tests.histories import confirm_upload, create_post, fail_post, publishing_commands
from tests.sql import Connections, run
from tests.transcoder.jobs.queue_runs import uploaded, work_once
from transcoder.duties.lost_posts import rescue_lost_posts

pytestmark = pytest.mark.anyio

JOBS_ARE_RUNNING = "UPDATE procrastinate_jobs SET status = 'doing'"
JOBS_HAVE_STARTED = "UPDATE procrastinate_events SET type = 'started'"
JOBS_ARE_OLD = "UPDATE procrastinate_events SET at = at - interval '1 hour'"
JOBS_ARE_GONE = "DELETE FROM procrastinate_jobs"
JOBS_HAVE_FAILED = "UPDATE procrastinate_jobs SET status = 'failed'"
POSTS_ARE_OLD = "UPDATE posts SET updated_at = now() - interval '1 hour'"
POSTS_ARE_NEW = "UPDATE posts SET updated_at = now()"


async def given(connections: Connections, *statements: LiteralString) -> None:
    await catch_up(connections, POSTS, position=None)
    await run(connections, *statements)


async def ask(connections: Connections, query: LiteralString) -> list[Any]:
    async with (
        connections.connection() as connection,
        connection.cursor(row_factory=scalar_row) as cursor,
    ):
        await cursor.execute(query)
        return await cursor.fetchall()


async def rescue(connections: Connections) -> list[str]:
    """The posts that a rescue has queued, in order."""
    async with connections.connection() as connection:
        with capture_logs() as lines:
            await rescue_lost_posts(connection)
    return sorted(line["post_id"] for line in lines if line["event"] == "rescued_post")


async def test_a_job_that_no_attempt_can_still_be_running_is_due_again(
    queue: App, publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    post_id = uploaded(publishing, store)
    await given(connections, JOBS_ARE_RUNNING, JOBS_HAVE_STARTED, JOBS_ARE_OLD)
    assert await rescue(connections) == [str(post_id)]
    failures = await ask(connections, "SELECT args -> 'failures' FROM procrastinate_jobs")
    assert failures == [{"worker_lost": 1}]
    assert await rescue(connections) == []
    await work_once(queue)
    assert publishing.post(post_id).status == "published"


@pytest.mark.parametrize("jobs", [JOBS_ARE_GONE, JOBS_HAVE_FAILED])
async def test_a_post_without_a_job_gets_the_job_that_its_last_event_called_for(
    queue: App,
    publishing: Publishing,
    store: FakeObjectStore,
    connections: Connections,
    jobs: LiteralString,
) -> None:
    post_id = uploaded(publishing, store)
    job = "SELECT to_json(job) FROM (SELECT queue_name, task_name, priority, lock, args"
    original = await ask(connections, f"{job} FROM procrastinate_jobs) AS job")
    await given(connections, jobs, POSTS_ARE_OLD)
    assert await rescue(connections) == [str(post_id)]
    waiting = "FROM procrastinate_jobs WHERE status = 'todo') AS job"
    assert await ask(connections, f"{job} {waiting}") == original
    assert await rescue(connections) == []
    await work_once(queue)
    assert publishing.post(post_id).status == "published"


@pytest.mark.parametrize(
    "statements",
    [
        (JOBS_ARE_OLD, POSTS_ARE_OLD),
        (JOBS_ARE_RUNNING, JOBS_HAVE_STARTED, POSTS_ARE_OLD),
        (JOBS_ARE_GONE, POSTS_ARE_NEW),
    ],
    ids=["waiting for long", "running since a moment ago", "idle since a moment ago"],
)
async def test_a_post_is_left_alone_that_is(
    publishing: Publishing,
    store: FakeObjectStore,
    connections: Connections,
    statements: tuple[LiteralString, ...],
) -> None:
    uploaded(publishing, store)
    await given(connections, *statements)
    assert await rescue(connections) == []


async def test_posts_that_are_not_processing_need_no_job(
    publishing: Publishing, connections: Connections
) -> None:
    pending, failed, published = uuid4(), uuid4(), uuid4()
    commands: list[Command] = [create_post(pending), *publishing_commands(published)]
    for command in (*commands, create_post(failed), confirm_upload(failed), fail_post(failed)):
        publishing.execute(command)
    await given(connections, JOBS_ARE_GONE, POSTS_ARE_OLD)
    assert await rescue(connections) == []


async def test_a_job_that_the_database_refuses_is_logged_and_stops_no_other(
    publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    stuck, other = uploaded(publishing, store), uploaded(publishing, store)
    await given(connections, JOBS_ARE_RUNNING, JOBS_HAVE_STARTED, JOBS_ARE_OLD)
    async with connections.connection() as connection:
        # Its place in the queue is taken.
        await connection.execute(
            "UPDATE procrastinate_jobs SET queueing_lock = 'one' WHERE args ->> 'post_id' = %s",
            [str(stuck)],
        )
        await connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock)"
            " VALUES ('bulk', 'post.reprocess', 'one')"
        )
        with capture_logs() as lines:
            await rescue_lost_posts(connection)
    outcomes = {line["post_id"]: (line["event"], line["log_level"]) for line in lines}
    assert outcomes == {
        str(stuck): ("post_not_rescued", "error"),
        str(other): ("rescued_post", "warning"),
    }
    # Nor is a failure counted for the job that stays where it is.
    stays = "SELECT args ? 'failures' FROM procrastinate_jobs WHERE queueing_lock = 'one'"
    assert await ask(connections, f"{stays} AND status = 'doing'") == [False]


async def test_a_post_whose_last_event_is_damaged_is_queued_for_the_one_before(
    publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    post_id = uploaded(publishing, store)
    created, uploaded_event = publishing.history(post_id)
    await given(
        connections,
        JOBS_ARE_GONE,
        POSTS_ARE_OLD,
        "ALTER TABLE post_events DISABLE TRIGGER USER",
        "UPDATE post_events SET state = '' WHERE topic = 'post.uploaded'",
    )
    assert uploaded_event.version == 2
    assert await rescue(connections) == [str(post_id)]
    causes = await ask(connections, "SELECT args ->> 'causation_id' FROM procrastinate_jobs")
    assert causes == [str(created.event_id)]
