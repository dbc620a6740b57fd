"""Uploads in parts: presigned pieces, and what completing them asks for."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from api.http.authentication.upload_tokens import create_upload_token
from domain.event_store.publishing import Publishing
from tests.api.http.caller import SECRET, Caller
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import CONTENT, announcement, completion, open_upload, upload
from tests.fake_object_store import FakeObjectStore
from tests.histories import delete_post

pytestmark = pytest.mark.anyio

PART = 8_000_000
LARGE = CONTENT + bytes(2 * PART)
PIECES = [LARGE[start : start + PART] for start in range(0, len(LARGE), PART)]
HASHES = [hashlib.sha256(piece).hexdigest() for piece in PIECES]


async def open_large(caller: Caller) -> dict[str, Any]:
    """An announced photo of three parts."""
    sha256 = hashlib.sha256(LARGE).hexdigest()
    body = announcement(file_size=len(LARGE), sha256=sha256)
    answer = await caller.post("/api/v1/posts/upload/init", body)
    assert answer.status_code == 201, answer.text
    opened: dict[str, Any] = answer.json()
    return opened


def path_of(opened: dict[str, Any]) -> str:
    return f"/api/v1/posts/{opened['post_id']}/upload/parts"


def body_of(opened: dict[str, Any], **changes: object) -> dict[str, Any]:
    return {"upload_token": opened["upload_token"], "part_sha256": HASHES, **changes}


def key_of(opened: dict[str, Any]) -> str:
    return f"uploads/{opened['post_id']}/original"


async def test_a_photo_in_parts_is_uploaded_piece_by_piece_and_completed_once(
    owner: Caller, store: FakeObjectStore, database_url: str
) -> None:
    opened = await open_large(owner)
    complete = {**completion(opened), "part_sha256": HASHES}

    answer = await owner.post(path_of(opened), body_of(opened))
    assert answer.status_code == 201
    presigned = answer.json()
    assert presigned["part_bytes"] == PART
    assert [(each["offset"], each["file_size"]) for each in presigned["parts"]] == [
        (0, PART),
        (PART, PART),
        (2 * PART, len(CONTENT)),
    ]
    for number in (3, 1):
        store.arrive_part(key_of(opened), number, PIECES[number - 1])
    early = await owner.post("/api/v1/posts/upload/complete", complete)
    assert problem(early) == (409, "not-uploaded")

    # A cut connection costs one part.
    again = (await owner.post(path_of(opened), body_of(opened))).json()
    assert [bool(each["presigned_url"]) for each in again["parts"]] == [False, True, False]
    store.arrive_part(key_of(opened), 2, PIECES[1])
    for _ in range(2):
        done = await owner.post("/api/v1/posts/upload/complete", complete)
        assert (done.status_code, done.json()["status"]) == (202, "processing")
    assert store.objects[key_of(opened)] == LARGE
    with psycopg.connect(database_url) as connection:
        jobs = connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone()
    assert jobs == (1,)


async def test_parts_are_completed_again_after_a_full_queue(
    owner: Caller, store: FakeObjectStore, database_url: str
) -> None:
    for _ in range(2):
        await upload(owner, store)
    opened = await open_large(owner)
    await owner.post(path_of(opened), body_of(opened))
    for number, piece in enumerate(PIECES, start=1):
        store.arrive_part(key_of(opened), number, piece)
    complete = {**completion(opened), "part_sha256": HASHES}
    full = await owner.post("/api/v1/posts/upload/complete", complete)
    assert problem(full) == (503, "queue-full")

    # Meanwhile the object is made: nothing is left to send.
    again = (await owner.post(path_of(opened), body_of(opened))).json()
    assert [each["presigned_url"] for each in again["parts"]] == [None] * 3
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM procrastinate_jobs")
    done = await owner.post("/api/v1/posts/upload/complete", complete)
    assert done.status_code == 202


async def test_an_object_of_parts_is_completed_only_with_their_hashes(
    owner: Caller, store: FakeObjectStore
) -> None:
    opened = await open_large(owner)
    await owner.post(path_of(opened), body_of(opened))
    for number, piece in enumerate(PIECES, start=1):
        store.arrive_part(key_of(opened), number, piece)
    for said in ({}, {"part_sha256": ["a" * 64] * 3}):
        answer = await owner.post("/api/v1/posts/upload/complete", {**completion(opened), **said})
        assert problem(answer) == (409, "not-uploaded")
    # As if another request had just made it.
    store.objects[key_of(opened)] = LARGE
    store.checksums[key_of(opened)] = "another checksum-3"
    answer = await owner.post(
        "/api/v1/posts/upload/complete", {**completion(opened), "part_sha256": HASHES}
    )
    assert problem(answer) == (409, "not-uploaded")


async def test_another_number_of_hashes_than_the_size_has_parts_is_refused(
    owner: Caller, store: FakeObjectStore
) -> None:
    opened = await open_large(owner)
    for hashes in (HASHES[:2], [*HASHES, "a" * 64]):
        body = body_of(opened, part_sha256=hashes)
        answer = await owner.post(path_of(opened), body)
        assert problem(answer) == (400, "invalid-request")
        assert answer.json()["errors"][0]["pointer"] == "#/part_sha256"
        complete = {**completion(opened), "part_sha256": hashes}
        answer = await owner.post("/api/v1/posts/upload/complete", complete)
        assert problem(answer) == (400, "invalid-request")
    for wrong in ([], ["A" * 64] * 3, ["a" * 63] * 3, "a" * 64, None):
        answer = await owner.post(path_of(opened), body_of(opened, part_sha256=wrong))
        assert problem(answer) == (400, "invalid-request")
    assert store.parts == {}


async def test_urls_of_parts_live_no_longer_than_the_upload(owner: Caller) -> None:
    opened = await open_large(owner)
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=3)
    token = create_upload_token(SECRET, UUID(opened["post_id"]), expires_at=soon)
    answer = await owner.post(path_of(opened), body_of(opened, upload_token=token))
    assert datetime.fromisoformat(answer.json()["presigned_url_expires_at"]) <= soon

    past = datetime.now(UTC) - timedelta(seconds=1)
    late = create_upload_token(SECRET, UUID(opened["post_id"]), expires_at=past)
    answer = await owner.post(path_of(opened), body_of(opened, upload_token=late))
    assert problem(answer) == (410, "upload-expired")


async def test_parts_are_for_the_owner_of_a_pending_post_with_its_token(
    owner: Caller, stranger: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    opened, other = await open_large(owner), await open_upload(owner)
    answer = await owner.post(path_of(opened), body_of(opened, upload_token=other["upload_token"]))
    assert problem(answer) == (403, "invalid-upload-token")
    answer = await stranger.post(path_of(opened), body_of(opened))
    assert problem(answer) == (404, "post-not-found")
    completed = await upload(owner, store)
    answer = await owner.post(path_of(completed), body_of(completed, part_sha256=["a" * 64]))
    assert problem(answer) == (409, "post-not-pending")
    publishing.execute(delete_post(UUID(opened["post_id"]), user_id=owner.id))
    answer = await owner.post(path_of(opened), body_of(opened))
    assert problem(answer) == (404, "post-not-found")


async def test_an_object_store_that_is_down_signs_no_parts(
    owner: Caller, store: FakeObjectStore
) -> None:
    opened = await open_large(owner)
    store.down = True
    answer = await owner.post(path_of(opened), body_of(opened))
    assert problem(answer) == (503, "object-store-unavailable")
