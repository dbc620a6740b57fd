"""During a deployment an older runner meets events that a newer one reads: nothing waits for it."""

from collections.abc import Sequence

import anyio
import pytest
from structlog.testing import capture_logs

from domain.event_store.mapper import EventRow, UnreadableEvent
from domain.event_store.publishing import Publishing
from domain.events import Event, PostCaptioned
from projections.follow.catch_up import catch_up
from projections.follow.failures import failure_of
from projections.follow.projection import POSTS, PROJECTIONS, Projection
from projections.follow.runner import follow
from projections.follow.status import Status, statuses
from projections.tables.change import Change
from tests.histories import caption_post, create_post
from tests.projections.read_tables import rows, wait_for_posts
from tests.sql import Connections, run

pytestmark = pytest.mark.anyio


class OlderProjection(Projection, frozen=True, kw_only=True):
    """As code that does not know the event of a changed caption yet."""

    def changes(self, events: Sequence[Event]) -> list[Change]:
        """The changes, unless there is an event that it cannot read."""
        for event in events:
            if isinstance(event, PostCaptioned):
                row = EventRow(post_id=event.post_id, version=1, topic="post.captioned", state=b"")
                raise UnreadableEvent(row, "this code is older")
        return super().changes(events)


OLDER = OlderProjection(name="posts", tables=POSTS.tables, is_urgent=True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.follow.runner.POLL_SECONDS", 0.05)
    monkeypatch.setattr("projections.follow.runner.RESIGNED_SECONDS", 0.1)


async def status_of(connections: Connections) -> Status:
    async with connections.connection() as connection:
        [found] = await statuses(connection, [POSTS])
    return found


async def wait_until_stopped(connections: Connections) -> None:
    with anyio.fail_after(60):
        while not (await status_of(connections)).stopped_at:
            await anyio.sleep(0.02)


async def wait_for_caption(connections: Connections, caption: str) -> None:
    with anyio.fail_after(60):
        while (await rows(connections))["posts"][0]["caption"] != caption:
            await anyio.sleep(0.02)


async def test_a_failure_that_the_position_has_passed_stops_no_runner(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    for _ in range(3):
        publishing.execute(create_post())
    for projection in PROJECTIONS.values():
        await catch_up(connections, projection, position=None)
    await run(
        connections,
        "INSERT INTO projection_failures (projection, position, error)"
        " SELECT projection, 1, 'older code could not read it' FROM projection_positions",
    )
    assert (await status_of(connections)).stopped_at is None
    async with connections.connection() as connection:
        assert await failure_of(connection, "posts") is None
    publishing.execute(create_post())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, database_url, POSTS)
        await wait_for_posts(connections, 4)
        tasks.cancel_scope.cancel()


async def test_a_newer_standby_goes_on_where_an_older_leader_is_stopped(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    post = create_post()
    publishing.execute(post)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, database_url, OLDER)
        await wait_for_posts(connections, 1)
        tasks.start_soon(follow, database_url, POSTS)
        publishing.execute(caption_post(post.post_id, caption="new"))
        await wait_for_caption(connections, "new")
        assert (await status_of(connections)).stopped_at is None
        tasks.cancel_scope.cancel()


async def test_a_newer_runner_that_starts_later_goes_on_as_well(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    post = create_post()
    publishing.execute(post)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, database_url, OLDER)
        await wait_for_posts(connections, 1)
        publishing.execute(caption_post(post.post_id, caption="new"))
        await wait_until_stopped(connections)
        tasks.start_soon(follow, database_url, POSTS)
        await wait_for_caption(connections, "new")
        tasks.cancel_scope.cancel()


async def test_an_older_standby_leaves_the_lead_to_a_newer_runner(
    publishing: Publishing, connections: Connections, database_url: str
) -> None:
    post = create_post()
    publishing.execute(post)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, database_url, POSTS)
        await wait_for_posts(connections, 1)
        tasks.start_soon(follow, database_url, OLDER)
        publishing.execute(caption_post(post.post_id, caption="new"))
        await wait_for_caption(connections, "new")
        assert (await status_of(connections)).stopped_at is None
        tasks.cancel_scope.cancel()


async def test_each_runner_tries_once_an_event_that_none_can_read(
    publishing: Publishing, database_url: str
) -> None:
    post = create_post()
    publishing.execute(post)
    publishing.execute(caption_post(post.post_id, caption="new"))
    with capture_logs() as logs:
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(follow, database_url, OLDER)
            with anyio.fail_after(60):
                while [log["event"] for log in logs].count("projection_stopped") < 2:
                    await anyio.sleep(0.02)
            # Many times as long as a standby waits.
            await anyio.sleep(1)
            tasks.cancel_scope.cancel()
    events = [log["event"] for log in logs]
    assert (events.count("projection_stopped"), events.count("resigned")) == (2, 1)
