"""Idempotency keys: a repeated request opens the same upload, on whatever process."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import anyio
import httpx
import psycopg
import pytest

from api.settings import ApiSettings
from tests.api.http.caller import Caller, client_of_api
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import CONTENT, announcement, completion, open_upload
from tests.fake_object_store import FakeObjectStore
from tests.wrong_clock import later

pytestmark = pytest.mark.anyio

INIT = "/api/v1/posts/upload/init"
KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"


async def init(caller: Caller, key: str = KEY, **changes: Any) -> httpx.Response:
    content = announcement(**changes)
    return await caller.send("POST", INIT, content, **{"Idempotency-Key": key})


def events_in(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM post_events").fetchone()
    assert row is not None
    count: int = row[0]
    return count


async def test_the_same_key_and_body_open_the_same_upload_on_every_process(
    owner: Caller, settings: ApiSettings, store: FakeObjectStore, database_url: str
) -> None:
    first = await init(owner)
    async with client_of_api(settings, store) as elsewhere:
        again = await init(Caller(elsewhere, user_id=owner.id))

    assert (first.status_code, again.status_code) == (201, 201)
    fresh = {"presigned_url", "presigned_url_expires_at", "upload_token"}
    assert {name: again.json()[name] for name in again.json().keys() - fresh} == {
        name: first.json()[name] for name in first.json().keys() - fresh
    }
    assert events_in(database_url) == 1
    assert (await owner.get(again.headers["location"])).status_code == 200


async def test_a_repeated_upload_can_be_completed(owner: Caller, store: FakeObjectStore) -> None:
    await init(owner)
    opened = (await init(owner)).json()
    store.arrive(f"uploads/{opened['post_id']}/original", CONTENT)
    answer = await owner.post("/api/v1/posts/upload/complete", completion(opened))
    assert answer.status_code == 202
    assert (await init(owner)).json()["status"] == "processing"


async def test_of_parallel_requests_with_one_key_one_creates_a_post(
    owner: Caller, settings: ApiSettings, store: FakeObjectStore, database_url: str
) -> None:
    answers: list[httpx.Response] = []

    async def send(caller: Caller) -> None:
        answers.append(await init(caller))

    async with client_of_api(settings, store) as elsewhere, anyio.create_task_group() as tasks:
        for caller in [owner, Caller(elsewhere, user_id=owner.id)] * 5:
            tasks.start_soon(send, caller)

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["post_id"] for answer in answers}) == 1
    assert events_in(database_url) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"file_size": 149_999},
        {"caption": "Another"},
        {"caption": None},
        {"alt": "A lake"},
        {"filename": "IMG_0002.jpg"},
        {"content_type": "image/png"},
        {"sha256": "0" * 64},
        {"expires_in": 60},
        {"on_duplicate": "return"},
    ],
    ids=str,
)
async def test_the_same_key_with_another_body_is_refused(
    owner: Caller, database_url: str, change: dict[str, Any]
) -> None:
    assert (await init(owner)).status_code == 201
    assert problem(await init(owner, **change)) == (422, "idempotency-key-reused")
    assert events_in(database_url) == 1


async def test_defaults_that_are_sent_are_the_same_body(owner: Caller) -> None:
    first = await init(owner)
    again = await init(owner, alt=None, on_duplicate="create", expires_in=900, replaces=None)
    assert again.json()["post_id"] == first.json()["post_id"]


async def test_keys_of_different_users_are_different(owner: Caller, stranger: Caller) -> None:
    mine, theirs = await init(owner), await init(stranger)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["post_id"] != theirs.json()["post_id"]


async def test_requests_without_a_key_are_different(owner: Caller) -> None:
    assert (await open_upload(owner))["post_id"] != (await open_upload(owner))["post_id"]


async def test_a_key_whose_upload_is_over_opens_no_other(owner: Caller) -> None:
    opened = (await init(owner)).json()
    with later(timedelta(minutes=61)):
        assert problem(await init(owner)) == (410, "upload-expired")
    await owner.delete(f"/api/v1/posts/{opened['post_id']}")
    assert problem(await init(owner)) == (410, "upload-expired")


async def test_a_repeated_replacement_replaces_once(owner: Caller) -> None:
    replaced = (await open_upload(owner))["post_id"]
    first = await init(owner, replaces=replaced)
    again = await init(owner, replaces=replaced)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["post_id"] == first.json()["post_id"]
    assert (await owner.get(f"/api/v1/posts/{replaced}")).status_code == 404


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_has_a_length(owner: Caller, key: str) -> None:
    assert problem(await init(owner, key=key)) == (400, "invalid-query")


async def test_any_text_is_a_key(owner: Caller) -> None:
    for key in ("1", '"quoted"', "k" * 255, str(uuid4())):
        assert (await init(owner, key=key)).status_code == 201
