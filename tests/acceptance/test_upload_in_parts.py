"""A large photo goes up in parts on the real stack: a cut connection costs one of them."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import httpx
import psycopg
import pytest

from api.stack.local import LocalStack
from tests.acceptance.app import App
from tests.api.stack.objects import s3_client
from tests.api.stack.running import wait_until

PART: Final = 8_000_000


@pytest.fixture(scope="module")
def photo(large_photo: bytes) -> bytes:
    """A photo of two parts."""
    assert PART < len(large_photo) < 2 * PART
    return large_photo


def pieces(content: bytes) -> list[bytes]:
    return [content[start : start + PART] for start in range(0, len(content), PART)]


def presign(app: App, opened: dict[str, Any], hashes: list[str]) -> list[dict[str, Any]]:
    """The parts of an opened upload."""
    body = {"upload_token": opened["upload_token"], "part_sha256": hashes}
    answer = app.ask("POST", f"/posts/{opened['post_id']}/upload/parts", body)
    assert answer.status_code == 201, answer.text
    parts: list[dict[str, Any]] = answer.json()["parts"]
    return parts


def put(app: App, part: dict[str, Any], piece: bytes) -> int:
    headers = part["upload_headers"]
    return app.http.put(part["presigned_url"], content=piece, headers=headers).status_code


def complete(app: App, opened: dict[str, Any], hashes: list[str]) -> httpx.Response:
    body = {**app.completion(opened), "part_sha256": hashes}
    return app.ask("POST", "/posts/upload/complete", body)


def sha256s(content: bytes) -> list[str]:
    return [hashlib.sha256(piece).hexdigest() for piece in pieces(content)]


def cut(content: bytes) -> Iterator[bytes]:
    """A body whose sender is gone after the first half."""
    yield content[: len(content) // 2]
    raise ConnectionResetError


def test_a_cut_connection_costs_one_part_and_the_photo_is_published(app: App, photo: bytes) -> None:
    opened = app.init(photo, content_type="image/png")
    hashes = sha256s(photo)
    first, second = presign(app, opened, hashes)
    assert put(app, first, pieces(photo)[0]) == 200
    with pytest.raises(ConnectionResetError):
        app.http.put(
            second["presigned_url"], content=cut(pieces(photo)[1]), headers=second["upload_headers"]
        )
    assert complete(app, opened, hashes).status_code == 409

    stored, missing = presign(app, opened, hashes)

    assert stored["presigned_url"] is None
    assert put(app, missing, pieces(photo)[1]) == 200
    for _ in range(2):
        assert complete(app, opened, hashes).status_code == 202
    assert app.wait_until_final(opened["post_id"])["status"] == "published"
    # The bytes are there: neither the parts nor the whole can be sent again.
    assert put(app, first, pieces(photo)[0]) == 404
    assert app.put(opened, photo).status_code == 412


def test_parts_of_another_photo_than_the_announced_one_are_never_published(
    app: App, photo: bytes
) -> None:
    opened = app.init(photo, content_type="image/png")
    other = photo[:-1] + bytes([photo[-1] ^ 1])
    for part, piece in zip(presign(app, opened, sha256s(other)), pieces(other), strict=True):
        assert put(app, part, piece) == 200

    assert complete(app, opened, sha256s(photo)).status_code == 409
    # The store has the parts that this client says, but the worker hashes the whole.
    assert complete(app, opened, sha256s(other)).status_code == 202

    post = app.wait_until_final(opened["post_id"])
    assert (post["status"], post["images"]) == ("failed", {})


def test_the_parts_of_a_deleted_post_are_removed(app: App, stack: LocalStack, photo: bytes) -> None:
    opened = app.init(photo, content_type="image/png")
    first, _ = presign(app, opened, sha256s(photo))
    assert put(app, first, pieces(photo)[0]) == 200
    key = f"uploads/{opened['post_id']}/original"
    assert key in unfinished(stack)

    assert app.ask("DELETE", f"/posts/{opened['post_id']}").status_code == 204

    # Nothing is removed as long as a PUT may still be running.
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        connection.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE args ->> 'post_id' = %s",
            [opened["post_id"]],
        )
    wait_until(lambda: key not in unfinished(stack))
    assert put(app, first, pieces(photo)[0]) == 404


def unfinished(stack: LocalStack) -> set[str]:
    """The keys of open uploads in parts."""
    bucket = stack.environ["S3_BUCKET_NAME"]
    with closing(s3_client(stack.environ)) as client:
        page = client.list_multipart_uploads(Bucket=bucket)
    return {each["Key"] for each in page.get("Uploads", ())}
