"""Ways out: what an app does whose upload went wrong, came late, or was announced before."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.event_store.publishing import Publishing
from tests.api.http.caller import Caller
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import (
    CONTENT,
    announcement,
    completion,
    open_upload,
    published_post,
    upload,
)
from tests.fake_object_store import FakeObjectStore
from tests.histories import fail_post
from tests.wrong_clock import later

pytestmark = pytest.mark.anyio

INIT = "/api/v1/posts/upload/init"
COMPLETE = "/api/v1/posts/upload/complete"


def lifetime(opened: dict[str, Any]) -> timedelta:
    return datetime.fromisoformat(opened["presigned_url_expires_at"]) - datetime.now(UTC)


async def test_bytes_that_never_arrived_are_named_with_what_to_do(owner: Caller) -> None:
    announced = announcement()
    opened = await open_upload(owner)

    answer = await owner.post(COMPLETE, completion(opened))

    assert problem(answer) == (409, "not-uploaded")
    detail = answer.json()["detail"]
    assert announced["sha256"] in detail
    assert f"{announced['file_size']} bytes" in detail
    assert "replaces" in detail


async def test_announcing_anew_replaces_the_old_upload(
    owner: Caller, store: FakeObjectStore
) -> None:
    old = await open_upload(owner)

    new = (await owner.post(INIT, announcement(replaces=old["post_id"], sha256="b" * 64))).json()

    assert problem(await owner.get(f"/api/v1/posts/{old['post_id']}")) == (404, "post-not-found")
    assert [each["id"] for each in (await owner.get("/api/v1/posts")).json()["items"]] == [
        new["post_id"]
    ]
    store.arrive(f"uploads/{old['post_id']}/original", CONTENT)
    late = await owner.post(COMPLETE, completion(old))
    assert problem(late) == (404, "post-not-found")


async def test_only_an_own_pending_post_is_replaced(
    owner: Caller, stranger: Caller, store: FakeObjectStore
) -> None:
    completed = await upload(owner, store)
    foreign = await open_upload(stranger)

    refused = await owner.post(INIT, announcement(replaces=completed["post_id"]))
    hidden = await owner.post(INIT, announcement(replaces=foreign["post_id"]))
    unknown = await owner.post(INIT, announcement(replaces=str(uuid4())))

    assert problem(refused) == (409, "post-not-pending")
    assert problem(hidden) == problem(unknown) == (404, "post-not-found")
    assert len((await owner.get("/api/v1/posts")).json()["items"]) == 1
    assert (await stranger.get(f"/api/v1/posts/{foreign['post_id']}")).status_code == 200


async def test_a_post_says_until_when_it_can_be_uploaded(
    owner: Caller, store: FakeObjectStore
) -> None:
    opened = await open_upload(owner)
    path = f"/api/v1/posts/{opened['post_id']}"

    pending = (await owner.get(path)).json()
    store.arrive(f"uploads/{opened['post_id']}/original", CONTENT)
    await owner.post(COMPLETE, completion(opened))
    completed = (await owner.get(path)).json()
    earlier = (await owner.get(f"{path}/state?version=1")).json()

    until = datetime.fromisoformat(opened["upload_token_expires_at"])
    assert datetime.fromisoformat(pending["upload_expires_at"]) == until
    assert datetime.fromisoformat(earlier["upload_expires_at"]) == until
    assert completed["upload_expires_at"] is None


async def test_a_lost_upload_token_is_replaced(owner: Caller, store: FakeObjectStore) -> None:
    opened = await open_upload(owner)
    path = f"/api/v1/posts/{opened['post_id']}/upload/presign"

    renewed = (await owner.post(path, {})).json()

    assert renewed["upload_token_expires_at"] == opened["upload_token_expires_at"]
    store.arrive(f"uploads/{opened['post_id']}/original", CONTENT)
    assert (await owner.post(COMPLETE, completion(renewed))).status_code == 202
    assert problem(await owner.post(path, {})) == (409, "post-not-pending")


async def test_nobody_gets_the_token_of_another(owner: Caller, stranger: Caller) -> None:
    opened = await open_upload(owner)
    answer = await stranger.post(f"/api/v1/posts/{opened['post_id']}/upload/presign", {})
    assert problem(answer) == (404, "post-not-found")


async def test_a_lost_token_of_an_expired_upload_is_gone(owner: Caller) -> None:
    opened = await open_upload(owner)
    with later(timedelta(minutes=61)):
        answer = await owner.post(f"/api/v1/posts/{opened['post_id']}/upload/presign", {})
    assert problem(answer) == (410, "upload-expired")


@pytest.mark.parametrize("seconds", [60, 3600])
async def test_a_url_lives_as_long_as_the_client_asks(owner: Caller, seconds: int) -> None:
    opened = (await owner.post(INIT, announcement(expires_in=seconds))).json()
    assert abs(lifetime(opened) - timedelta(seconds=seconds)) < timedelta(seconds=10)
    until = datetime.fromisoformat(opened["upload_token_expires_at"])
    assert datetime.fromisoformat(opened["presigned_url_expires_at"]) <= until + timedelta(
        seconds=1
    )
    path = f"/api/v1/posts/{opened['post_id']}/upload/presign"
    renewed = (await owner.post(path, {"expires_in": seconds})).json()
    assert abs(lifetime(renewed) - timedelta(seconds=seconds)) < timedelta(seconds=10)


@pytest.mark.parametrize("seconds", [0, 59, 3601])
async def test_a_url_lives_neither_shorter_nor_longer(owner: Caller, seconds: int) -> None:
    answer = await owner.post(INIT, announcement(expires_in=seconds))
    assert problem(answer) == (400, "invalid-request")


async def announce_twice(caller: Caller, **changes: Any) -> tuple[int, str]:
    """The status of an announcement that returns duplicates, and the id of its post."""
    answer = await caller.post(INIT, announcement(on_duplicate="return", **changes))
    return answer.status_code, answer.json()["post_id"]


async def test_the_same_photo_is_another_post_unless_asked_otherwise(owner: Caller) -> None:
    first, second = await open_upload(owner), await open_upload(owner)
    assert first["post_id"] != second["post_id"]


async def test_a_duplicate_returns_the_pending_post_which_can_be_uploaded(
    owner: Caller, store: FakeObjectStore
) -> None:
    first = await open_upload(owner)

    answer = await owner.post(INIT, announcement(on_duplicate="return", caption="Another"))

    again = answer.json()
    assert (answer.status_code, again["post_id"]) == (200, first["post_id"])
    assert again["status"] == "pending"
    store.arrive(f"uploads/{first['post_id']}/original", CONTENT)
    assert (await owner.post(COMPLETE, completion(again))).status_code == 202
    post = (await owner.get(answer.headers["location"])).json()
    assert post["caption"] == "A quiet morning"


async def test_a_duplicate_of_a_published_post_needs_no_case_of_its_own_in_the_client(
    owner: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    post_id = await published_post(owner, store, publishing)
    # The helper opened a second upload of the same bytes: only the newest of them is returned.
    newest = (await owner.get("/api/v1/posts?status=pending")).json()["items"][0]["id"]
    await owner.delete(f"/api/v1/posts/{newest}")

    answer = await owner.post(INIT, announcement(on_duplicate="return"))

    assert (answer.status_code, answer.json()["post_id"]) == (200, post_id)
    assert answer.json()["status"] == "published"
    completed = await owner.post(COMPLETE, completion(answer.json()))
    assert (completed.status_code, completed.json()["status"]) == (202, "published")


async def test_what_is_not_the_same_photo_is_another_post(
    owner: Caller, stranger: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    failed = (await upload(owner, store))["post_id"]
    publishing.execute(fail_post(UUID(failed)))
    await owner.post("/api/v1/posts/upload/init", announcement(sha256="c" * 64))
    assert (await announce_twice(owner))[0] == 201
    assert (await announce_twice(stranger))[0] == 201
    assert (await announce_twice(owner, content_type="image/png"))[0] == 201
    assert (await announce_twice(owner, sha256="d" * 64))[0] == 201


async def test_a_day_later_it_is_another_post(owner: Caller) -> None:
    await open_upload(owner)
    with later(timedelta(minutes=60)):
        # The upload of the first one is closed.
        assert (await announce_twice(owner))[0] == 201
