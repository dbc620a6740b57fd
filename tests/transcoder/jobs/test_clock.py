"""A worker whose clock is five minutes ahead: the database says when, and how long it took."""

from datetime import UTC

import pytest
from procrastinate import App

from domain.event_store.publishing import Publishing
from domain.events import PostPublished
from tests.fake_object_store import FakeObjectStore
from tests.transcoder.jobs.queue_runs import uploaded, work_once
from tests.wrong_clock import AHEAD, database_now, set_clock_back

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(database_url: str) -> str:
    set_clock_back(database_url)
    return database_url


async def test_a_post_is_published_when_the_database_says_so(
    queue: App, publishing: Publishing, store: FakeObjectStore, database_url: str
) -> None:
    uploaded_at = database_now(database_url).astimezone(UTC)
    post_id = uploaded(publishing, store, at=uploaded_at)
    await work_once(queue)
    published = publishing.history(post_id)[-1]
    assert isinstance(published, PostPublished)
    assert abs(published.recorded_at - database_now(database_url)) < AHEAD / 2
    assert published.stages is not None
    assert published.stages.queue_ms < 1000 * AHEAD.total_seconds() / 2
