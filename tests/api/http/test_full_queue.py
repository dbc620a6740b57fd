"""A full queue: when a client is told to come back, whatever the pace of the workers."""

from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from api.settings import ApiSettings, UploadSettings
from tests.api.http.caller import Caller, client_of_api
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


async def test_a_user_who_floods_the_queue_is_refused_and_others_are_not(
    settings: ApiSettings, store: FakeObjectStore
) -> None:
    roomy = replace(settings, uploads=UploadSettings(queue_capacity=100))
    async with client_of_api(roomy, store) as http:
        keen, other = (Caller(http, user_id=uuid4()) for _ in range(2))
        for _ in range(10):
            await upload(keen, store)
        opened = await open_upload(keen)
        store.arrive(f"uploads/{opened['post_id']}/original", CONTENT)

        refused = await keen.post("/api/v1/posts/upload/complete", completion(opened))

        assert problem(refused) == (429, "too-many-waiting-photos")
        assert int(refused.headers["retry-after"]) > 0
        await upload(other, store)
