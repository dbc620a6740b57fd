"""An API whose clock is five minutes ahead: what it records and allows goes by the database's."""

from datetime import datetime, timedelta

import pytest

from tests.api.http.caller import Caller
from tests.api.http.uploads import CONTENT, completion, open_upload
from tests.fake_object_store import FakeObjectStore
from tests.wrong_clock import AHEAD, database_now, set_clock_back

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(database_url: str) -> str:
    set_clock_back(database_url)
    return database_url


async def test_a_post_is_created_and_its_upload_ends_when_the_database_says_so(
    owner: Caller, database_url: str
) -> None:
    opened = await open_upload(owner)
    post = (await owner.get(f"/api/v1/posts/{opened['post_id']}")).json()

    created_at = datetime.fromisoformat(post["created_at"])
    expires_at = datetime.fromisoformat(opened["upload_token_expires_at"])
    assert abs(created_at - database_now(database_url)) < AHEAD / 2
    assert expires_at == created_at.replace(microsecond=0) + timedelta(hours=1)


async def test_an_upload_can_be_completed_until_it_ends_by_the_databases_clock(
    owner: Caller, store: FakeObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Less than the clock is ahead.
    monkeypatch.setattr("api.http.routes.announcements.TOKEN_LIFETIME", timedelta(minutes=4))
    opened = await open_upload(owner)
    store.arrive(f"uploads/{opened['post_id']}/original", CONTENT)

    answer = await owner.post("/api/v1/posts/upload/complete", completion(opened))
    assert answer.status_code == 202, answer.text
