"""The tasks on the real queue: jobs are taken, retried, taken over, and duties are kept."""

from datetime import UTC, datetime, timedelta

import pytest
from procrastinate import App, utils

from domain.errors import EventStoreUnavailable
from domain.event_store.publishing import Publishing
from projections.follow.catch_up import catch_up
from projections.follow.projection import POSTS
from projections.queries.unfinished import UnfinishedFilter, unfinished_posts
from tests.fake_object_store import FakeObjectStore
from tests.histories import fail_post, retry_post
from tests.sql import Connections, run
from tests.transcoder.jobs.queue_runs import uploaded, work_again, work_once
from tests.transcoder.rendered import FakeRenderer
from transcoder.duties.stalled_jobs import take_over_stalled_jobs
from transcoder.errors import MAX_ATTEMPTS, NoSlotFree, RendererCrashed
from transcoder.queue.app import open_queue
from transcoder.queue.depth import QueueDepth, queue_depth
from transcoder.tasks import add_tasks, assemble

pytestmark = pytest.mark.anyio


async def depth(connections: Connections) -> QueueDepth:
    async with connections.connection() as connection:
        return await queue_depth(connection)


async def test_the_job_of_an_upload_publishes_it_and_leaves_the_queue(
    queue: App, publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    post_id = uploaded(publishing, store)
    assert (await depth(connections)).waiting == 1
    await work_once(queue)
    assert publishing.post(post_id).status == "published"
    assert await depth(connections) == QueueDepth(waiting=0, running=0)


async def test_an_attempt_that_breaks_unexpectedly_is_tried_again_later(
    queue: App,
    publishing: Publishing,
    store: FakeObjectStore,
    renderer: FakeRenderer,
    connections: Connections,
) -> None:
    post_id = uploaded(publishing, store)
    renderer.trouble = [RuntimeError("nobody foresaw this")]
    await work_once(queue)
    assert publishing.post(post_id).status == "processing"
    assert (await depth(connections)).waiting == 1
    # Whoever looks is told why.
    async with connections.connection() as connection:
        await catch_up(connections, POSTS, position=None)
        [waiting] = await unfinished_posts(connection, UnfinishedFilter(post_id=post_id), limit=2)
    assert (waiting.state, waiting.attempts, waiting.code) == ("waiting", 1, "internal_error")
    assert waiting.next_attempt_at is not None
    await work_again(queue, connections)
    assert publishing.post(post_id).status == "published"


async def test_attempts_are_counted_across_runs_until_the_post_has_failed(
    queue: App,
    publishing: Publishing,
    store: FakeObjectStore,
    renderer: FakeRenderer,
    connections: Connections,
) -> None:
    post_id = uploaded(publishing, store)
    renderer.trouble = [RendererCrashed(), RendererCrashed()]
    for _ in range(2):
        await work_again(queue, connections)
    failed = publishing.post(post_id).failure
    assert failed is not None
    assert failed.attempt == 2
    assert (await depth(connections)).waiting == 0


async def test_the_job_of_a_dead_worker_is_taken_over(
    queue: App,
    publishing: Publishing,
    store: FakeObjectStore,
    connections: Connections,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    post_id = uploaded(publishing, store)
    await run(
        connections,
        """
        WITH dead AS (
            INSERT INTO procrastinate_workers (last_heartbeat)
            VALUES (now() - interval '1 minute') RETURNING id
        )
        UPDATE procrastinate_jobs SET status = 'doing', worker_id = dead.id FROM dead
        """,
    )
    assert (await depth(connections)).running == 1
    # Whoever takes it over has a wrong clock.
    monkeypatch.setattr(utils, "utcnow", lambda: datetime.now(UTC) + timedelta(minutes=7))
    await queue.configure_task("stalled_jobs.take_over").defer_async(timestamp=0)
    await work_once(queue)
    await work_once(queue)
    assert publishing.post(post_id).status == "published"


async def test_a_duty_of_a_dead_worker_is_left_to_the_next_one(
    queue: App, connections: Connections
) -> None:
    for name in ("posts.rescue", "expired_uploads.close"):
        await queue.configure_task(name).defer_async(timestamp=0)
    await run(connections, "UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL")
    await queue.configure_task("stalled_jobs.take_over").defer_async(timestamp=0)
    await work_once(queue)
    async with connections.connection() as connection:
        found = await connection.execute("SELECT task_name FROM procrastinate_jobs")
        assert await found.fetchall() == []


async def test_bulk_work_waits_in_a_lane_of_its_own_and_is_done_all_the_same(
    queue: App, publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    post_id = uploaded(publishing, store)
    publishing.execute(fail_post(post_id))
    await run(connections, "DELETE FROM procrastinate_jobs")
    publishing.execute(retry_post(post_id), lane="bulk")
    other = uploaded(publishing, store)
    assert (await depth(connections)).waiting == 1
    await work_once(queue)
    assert {publishing.post(each).status for each in (post_id, other)} == {"published"}


@pytest.mark.parametrize("error", [NoSlotFree(), EventStoreUnavailable("it is down")])
async def test_what_is_not_the_photos_fault_uses_up_none_of_its_attempts(
    error: Exception,
    queue: App,
    publishing: Publishing,
    store: FakeObjectStore,
    renderer: FakeRenderer,
    connections: Connections,
) -> None:
    post_id = uploaded(publishing, store)
    renderer.trouble = [error] * (MAX_ATTEMPTS + 1)
    for _ in range(MAX_ATTEMPTS + 2):
        await work_again(queue, connections)
    assert publishing.post(post_id).status == "published"


async def test_a_lost_worker_counts_as_a_failed_attempt_of_its_job(
    queue: App, publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    post_id = uploaded(publishing, store)
    for _ in range(MAX_ATTEMPTS):
        await run(connections, "UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL")
        await take_over_stalled_jobs(queue, connections)
    await work_once(queue)
    failed = publishing.post(post_id).failure
    assert failed is not None
    assert (failed.code, failed.stage) == ("internal_error", None)


async def test_jobs_of_the_bulk_lane_use_the_bulk_renderer(
    database_url: str, publishing: Publishing, store: FakeObjectStore, connections: Connections
) -> None:
    live, bulk = FakeRenderer(), FakeRenderer()
    parts = assemble(
        publishing=publishing,
        store=store,
        connections=connections,
        renderer=live,
        bulk_renderer=bulk,
    )
    queue = open_queue(database_url, pool_size=3)
    add_tasks(queue, parts)
    post_id = uploaded(publishing, store)
    await run(connections, "UPDATE procrastinate_jobs SET queue_name = 'bulk'")
    async with queue.open_async():
        await work_once(queue)
    assert publishing.post(post_id).status == "published"
    assert (live.rendered, bulk.rendered) == (0, 1)
