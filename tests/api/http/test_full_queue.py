"""A full queue: when a client is told to come back, whatever the pace of the workers."""

from typing import Any

import pytest

from api.settings import ApiSettings
from tests.api.http.caller import Caller
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import CONTENT, completion, open_upload, upload
from tests.fake_object_store import FakeObjectStore

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("seconds_per_post", "retry_after"), [(0.001, 1), (10.0, 10), (1000.0, 60), (None, 10)]
)
async def test_a_client_is_told_to_retry_within_a_minute_at_most(
    owner: Caller,
    store: FakeObjectStore,
    settings: ApiSettings,
    monkeypatch: pytest.MonkeyPatch,
    seconds_per_post: float | None,
    retry_after: int,
) -> None:
    async def pace(_: Any) -> float | None:
        return seconds_per_post

    monkeypatch.setattr("api.http.writer.seconds_per_post", pace)
    for _ in range(settings.uploads.queue_capacity):
        await upload(owner, store)
    opened = await open_upload(owner)
    store.arrive(f"uploads/{opened['post_id']}/original", CONTENT)

    refused = await owner.post("/api/v1/posts/upload/complete", completion(opened))

    assert problem(refused) == (503, "queue-full")
    assert refused.headers["retry-after"] == str(retry_after)
