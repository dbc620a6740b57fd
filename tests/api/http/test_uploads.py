"""Uploads over HTTP: announce, send, complete; and every way to get it wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import anyio
import httpx
import msgspec
import psycopg
import pytest
from msgspec.structs import replace

from api.http.authentication.tokens import create_token
from api.http.authentication.upload_tokens import create_upload_token
from api.http.authentication.users import User
from domain.commands import RecordVariant
from domain.event_store.publishing import Publishing
from domain.events import StageTimes
from tests.api.http.caller import SECRET, Caller
from tests.api.http.problem_answers import problem
from tests.api.http.uploads import CONTENT, announcement, completion, open_upload, upload
from tests.fake_object_store import FakeObjectStore
from tests.histories import delete_post, fail_post, publishing_commands

pytestmark = pytest.mark.anyio

INIT = "/api/v1/posts/upload/init"
COMPLETE = "/api/v1/posts/upload/complete"


async def test_an_opened_upload_has_everything_that_the_client_needs(owner: Caller) -> None:
    before = datetime.now(UTC)
    opened = await open_upload(owner)
    assert set(opened) == {
        "post_id",
        "presigned_url",
        "upload_headers",
        "upload_token",
        "presigned_url_expires_at",
        "upload_token_expires_at",
        "status",
    }
    url_lifetime = datetime.fromisoformat(opened["presigned_url_expires_at"]) - before
    token_lifetime = datetime.fromisoformat(opened["upload_token_expires_at"]) - before
    assert abs(url_lifetime - timedelta(minutes=15)) < timedelta(seconds=10)
    assert abs(token_lifetime - timedelta(hours=1)) < timedelta(seconds=10)


async def test_a_client_reads_the_post_that_it_has_just_announced(owner: Caller) -> None:
    opened = await open_upload(owner)
    post = (await owner.get(f"/api/v1/posts/{opened['post_id']}")).json()
    assert post["status"] == "pending"
    assert post["caption"] == "A quiet morning"
    assert post["images"] == {}


async def test_completing_answers_with_where_to_look_and_reads_agree_at_once(
    owner: Caller, store: FakeObjectStore
) -> None:
    opened = await open_upload(owner)
    key = f"uploads/{opened['post_id']}/original"
    store.arrive(key, CONTENT)
    answer = await owner.post(COMPLETE, completion(opened))
    assert answer.status_code == 202
    assert answer.json() == {
        "post_id": opened["post_id"],
        "status": "processing",
        "image_key": key,
    }
    assert answer.headers["location"] == f"/api/v1/posts/{opened['post_id']}"
    assert int(answer.headers["retry-after"]) >= 1
    post = await owner.get(answer.headers["location"])
    assert post.json()["status"] == "processing"


async def test_completing_fifty_times_at_once_answers_the_same_and_does_the_work_once(
    owner: Caller, store: FakeObjectStore, database_url: str
) -> None:
    opened = await open_upload(owner)
    store.arrive(f"uploads/{opened['post_id']}/original", CONTENT)
    answers: list[httpx.Response] = []

    async def say_it() -> None:
        answers.append(await owner.post(COMPLETE, completion(opened)))
        post = await owner.get(f"/api/v1/posts/{opened['post_id']}")
        assert post.json()["status"] == "processing"

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(say_it)
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}
    with psycopg.connect(database_url) as connection:
        jobs = connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone()
    assert jobs == (1,)


async def test_completing_before_the_bytes_are_there_is_a_conflict_and_can_be_said_again(
    owner: Caller, store: FakeObjectStore
) -> None:
    opened = await open_upload(owner)
    early = await owner.post(COMPLETE, completion(opened))
    assert problem(early) == (409, "not-uploaded")
    store.arrive(f"uploads/{opened['post_id']}/original", CONTENT)
    assert (await owner.post(COMPLETE, completion(opened))).status_code == 202


async def test_other_bytes_than_the_announced_ones_are_not_an_upload(
    owner: Caller, store: FakeObjectStore
) -> None:
    opened = await open_upload(owner)
    store.arrive(f"uploads/{opened['post_id']}/original", CONTENT[:-1] + b"?")
    answer = await owner.post(COMPLETE, completion(opened))
    assert problem(answer) == (409, "not-uploaded")


async def test_a_full_queue_says_when_to_come_back_and_then_takes_the_photo(
    owner: Caller, store: FakeObjectStore, database_url: str
) -> None:
    for _ in range(2):
        await upload(owner, store)
    opened = await open_upload(owner)
    store.arrive(f"uploads/{opened['post_id']}/original", CONTENT)
    full = await owner.post(COMPLETE, completion(opened))
    assert problem(full) == (503, "queue-full")
    # Nobody works, so that nobody knows.
    assert full.headers["retry-after"] == "10"
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM procrastinate_jobs")
    assert (await owner.post(COMPLETE, completion(opened))).status_code == 202


async def test_a_full_queue_is_half_empty_when_it_says_to_come_back(
    owner: Caller, store: FakeObjectStore, publishing: Publishing, database_url: str
) -> None:
    slow = StageTimes(queue_ms=99_000, download_ms=500, transcode_ms=8_000, upload_ms=500)
    for command in publishing_commands(uuid4()):
        known = isinstance(command, RecordVariant)
        publishing.execute(replace(command, stages=slow) if known else command)
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM procrastinate_jobs")
    for _ in range(2):
        await upload(owner, store)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    for _ in range(2):
        await upload(owner, store)
    opened = await open_upload(owner)
    store.arrive(f"uploads/{opened['post_id']}/original", CONTENT)
    full = await owner.post(COMPLETE, completion(opened))
    # Of two that wait, nine seconds each, two at a time, one is gone after four and a half.
    assert full.headers["retry-after"] == "5"


async def test_a_token_that_is_not_for_this_post_is_refused(
    owner: Caller, store: FakeObjectStore
) -> None:
    mine, other = await open_upload(owner), await open_upload(owner)
    login = create_token(SECRET, User(id=owner.id, role="user"))
    forged = create_upload_token(
        "another secret, also long enough to sign with",
        UUID(mine["post_id"]),
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    for token in (other["upload_token"], login, forged, "nonsense", ""):
        said = {"post_id": mine["post_id"], "upload_token": token}
        assert problem(await owner.post(COMPLETE, said)) == (403, "invalid-upload-token")
    store.arrive(f"uploads/{mine['post_id']}/original", CONTENT)
    assert (await owner.post(COMPLETE, completion(mine))).status_code == 202
    # A completed upload asks for its token as well.
    for token in (other["upload_token"], login, forged, "nonsense", ""):
        said = {"post_id": mine["post_id"], "upload_token": token}
        assert problem(await owner.post(COMPLETE, said)) == (403, "invalid-upload-token")


async def test_a_token_whose_time_is_over_is_gone(owner: Caller) -> None:
    opened = await open_upload(owner)
    post_id = opened["post_id"]
    past = datetime.now(UTC) - timedelta(seconds=1)
    said = {"upload_token": create_upload_token(SECRET, UUID(post_id), expires_at=past)}
    late = await owner.post(COMPLETE, {"post_id": post_id, **said})
    assert problem(late) == (410, "upload-expired")
    renewed = await owner.post(f"/api/v1/posts/{post_id}/upload/presign", said)
    assert problem(renewed) == (410, "upload-expired")


async def test_what_was_accepted_stays_accepted_however_late_it_is_said_again(
    owner: Caller, store: FakeObjectStore
) -> None:
    post_id = (await upload(owner, store))["post_id"]
    past = datetime.now(UTC) - timedelta(hours=3)
    token = create_upload_token(SECRET, UUID(post_id), expires_at=past)
    again = await owner.post(COMPLETE, {"post_id": post_id, "upload_token": token})
    assert (again.status_code, again.json()["status"]) == (202, "processing")


async def test_completing_again_answers_with_the_status_of_the_post_now(
    owner: Caller, store: FakeObjectStore, publishing: Publishing
) -> None:
    published, failed = await upload(owner, store), await upload(owner, store)
    for command in publishing_commands(UUID(published["post_id"]))[2:]:
        publishing.execute(command)
    publishing.execute(fail_post(UUID(failed["post_id"])))
    for opened, status in ((published, "published"), (failed, "failed")):
        again = await owner.post(COMPLETE, completion(opened))
        assert (again.status_code, again.json()["status"]) == (202, status)


async def test_the_post_of_another_is_not_there(owner: Caller, stranger: Caller) -> None:
    opened = await open_upload(owner)
    answers = [
        await stranger.post(COMPLETE, completion(opened)),
        await stranger.post(COMPLETE, {**completion(opened), "post_id": str(uuid4())}),
        await stranger.post(
            f"/api/v1/posts/{opened['post_id']}/upload/presign",
            {"upload_token": opened["upload_token"]},
        ),
    ]
    assert [problem(answer) for answer in answers] == [(404, "post-not-found")] * 3


async def test_once_told_that_a_post_is_deleted_the_owner_never_reads_it_again(
    owner: Caller, publishing: Publishing
) -> None:
    for path in ("/api/v1/posts/{post_id}/upload/presign", COMPLETE):
        opened = await open_upload(owner)
        post_id = opened["post_id"]
        # Deleted by another process, and not projected yet.
        publishing.execute(delete_post(UUID(post_id), user_id=owner.id))
        assert (await owner.get(f"/api/v1/posts/{post_id}")).status_code == 200
        body = completion(opened) if path == COMPLETE else {"upload_token": opened["upload_token"]}
        told = await owner.post(path.format(post_id=post_id), body)
        assert problem(told) == (404, "post-not-found")
        assert (await owner.get(f"/api/v1/posts/{post_id}")).status_code == 404


async def test_a_fresh_url_can_be_had_while_the_token_lives(owner: Caller) -> None:
    opened = await open_upload(owner)
    answer = await owner.post(
        f"/api/v1/posts/{opened['post_id']}/upload/presign",
        {"upload_token": opened["upload_token"]},
    )
    assert answer.status_code == 201
    assert answer.json()["upload_headers"] == opened["upload_headers"]
    lives_until = datetime.fromisoformat(answer.json()["presigned_url_expires_at"])
    assert lives_until <= datetime.now(UTC) + timedelta(minutes=15)


async def test_a_fresh_url_never_outlives_its_token(owner: Caller) -> None:
    opened = await open_upload(owner)
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=3)
    token = create_upload_token(SECRET, UUID(opened["post_id"]), expires_at=soon)
    answer = await owner.post(
        f"/api/v1/posts/{opened['post_id']}/upload/presign", {"upload_token": token}
    )
    expires_at = datetime.fromisoformat(answer.json()["presigned_url_expires_at"])
    assert expires_at <= soon + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"content_type": "image/gif"}, (415, "unsupported-content-type")),
        ({"content_type": "IMAGE/JPEG"}, (415, "unsupported-content-type")),
        ({"file_size": 50_000_001}, (413, "file-too-large")),
        ({"file_size": 99_999}, (400, "file-too-small")),
        ({"file_size": 0}, (400, "invalid-request")),
        ({"file_size": -1}, (400, "invalid-request")),
        ({"file_size": "many"}, (400, "invalid-request")),
        ({"file_size": 10**30}, (400, "invalid-request")),
        ({"sha256": "A" * 64}, (400, "invalid-request")),
        ({"sha256": "a" * 63}, (400, "invalid-request")),
        ({"sha256": "a" * 64 + "\n"}, (400, "invalid-request")),
        ({"caption": "x" * 2201}, (400, "invalid-request")),
        ({"caption": "nul \x00"}, (400, "invalid-request")),
        ({"filename": ""}, (400, "invalid-request")),
        ({"filename": "x" * 256}, (400, "invalid-request")),
        ({"filename": "nul \x00"}, (400, "invalid-request")),
        ({"surprise": 1}, (400, "invalid-request")),
        ({"sha256": None}, (400, "invalid-request")),
    ],
)
async def test_a_wrong_announcement_is_refused_with_a_clear_problem(
    owner: Caller, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert problem(await owner.post(INIT, announcement(**changes))) == expected


async def test_the_limits_themselves_are_accepted(owner: Caller) -> None:
    for changes in ({"file_size": 100_000}, {"file_size": 50_000_000}, {"caption": "é" * 2200}):
        answer = await owner.post(INIT, announcement(**changes))
        assert answer.status_code == 201
    assert (await owner.post(INIT, announcement(caption=None))).status_code == 201


async def test_an_object_store_that_is_down_is_said_to_be_down(
    owner: Caller, store: FakeObjectStore
) -> None:
    opened = await open_upload(owner)
    store.down = True
    answer = await owner.post(COMPLETE, completion(opened))
    assert problem(answer) == (503, "object-store-unavailable")
    assert "retry-after" in answer.headers


async def test_bodies_that_are_no_json_or_too_long_are_refused(
    owner: Caller, http: httpx.AsyncClient
) -> None:
    headers = {
        "Authorization": f"Bearer {create_token(SECRET, User(id=owner.id, role='user'))}",
        "Content-Type": "application/json",
    }
    lone_surrogate = msgspec.json.encode(announcement()).replace(b"quiet", rb"\ud800")
    for body in (b"", b"{", b"[]", b"\xff\xfe", b'{"filename":', lone_surrogate):
        answer = await http.post(INIT, content=body, headers=headers)
        assert problem(answer) == (400, "invalid-request")
    for deep in (b"[" * 60_000, b'{"a":' * 12_000):
        answer = await http.post(INIT, content=deep, headers=headers)
        assert problem(answer) == (400, "invalid-request")
    long = msgspec.json.encode(announcement(caption="x" * 100_000))
    answer = await http.post(INIT, content=long, headers=headers)
    assert answer.status_code == 413
    problem(answer)
