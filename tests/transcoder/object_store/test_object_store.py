"""The object store contract: the fake and SeaweedFS must both pass; the protections only S3 has."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from msgspec.structs import replace

from api.stack.seaweedfs import S3Access
from tests.fake_object_store import FakeObjectStore
from transcoder.errors import (
    ChecksumMismatch,
    ObjectStoreUnavailable,
    OriginalMissing,
)
from transcoder.object_store.bucket import prepare_bucket
from transcoder.object_store.protocol import IMMUTABLE, Announced, NewObject, ObjectStore
from transcoder.object_store.s3 import S3ObjectStore, open_s3
from transcoder.settings import ObjectStoreSettings

pytestmark = pytest.mark.anyio

CONTENT = b"not really a picture, but nobody looks " * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OWNER = uuid4()
LIFETIME = timedelta(minutes=15)


def s3_settings(server: S3Access, *, bucket: str) -> ObjectStoreSettings:
    return ObjectStoreSettings(
        bucket=bucket,
        endpoint_url=server.endpoint_url,
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
    )


@pytest.fixture
async def s3(seaweedfs_server: S3Access) -> AsyncIterator[S3ObjectStore]:
    settings = s3_settings(seaweedfs_server, bucket=f"test-{uuid4().hex[:12]}")
    await prepare_bucket(settings)
    async with open_s3(settings) as store:
        yield store


@pytest.fixture(params=["fake", "seaweedfs"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    if request.param == "fake":
        return FakeObjectStore()
    found: ObjectStore = request.getfixturevalue("s3")
    return found


def new_object(key: str, content: bytes = CONTENT) -> NewObject:
    return NewObject(
        key=key,
        content=content,
        content_type="image/jpeg",
        sha256=hashlib.sha256(content).hexdigest(),
        cache_control=IMMUTABLE,
        metadata={"variant": "medium"},
    )


def announced(key: str, content: bytes = CONTENT) -> Announced:
    sha256 = hashlib.sha256(content).hexdigest()
    return Announced(
        key=key, user_id=OWNER, content_type="image/jpeg", file_size=len(content), sha256=sha256
    )


async def test_what_was_put_can_be_read_and_described(store: ObjectStore) -> None:
    await store.put(new_object("variants/a.jpg"))
    found = await store.stat("variants/a.jpg")
    assert found is not None
    assert (found.file_size, found.sha256) == (len(CONTENT), SHA256)
    assert await store.read("variants/a.jpg") == CONTENT


async def test_other_bytes_than_their_checksum_says_are_not_stored(s3: ObjectStore) -> None:
    with pytest.raises(ObjectStoreUnavailable):
        await s3.put(replace(new_object("variants/a.jpg"), content=CONTENT[::-1]))
    assert await s3.stat("variants/a.jpg") is None


async def test_what_is_not_there_is_said_to_be_missing(store: ObjectStore) -> None:
    assert await store.stat("uploads/none") is None
    assert await store.read("uploads/none") is None
    with pytest.raises(OriginalMissing):
        await store.download(announced("uploads/none"))
    await store.remove("uploads/none")


async def test_a_download_is_exactly_what_was_announced_or_an_error(store: ObjectStore) -> None:
    await store.put(new_object("uploads/a"))
    assert await store.download(announced("uploads/a")) == CONTENT
    with pytest.raises(ChecksumMismatch):
        await store.download(announced("uploads/a", CONTENT[:-1] + b"?"))
    with pytest.raises(ChecksumMismatch):
        await store.download(announced("uploads/a", CONTENT[:50]))


async def test_what_was_removed_is_gone(store: ObjectStore) -> None:
    await store.put(new_object("uploads/a"))
    await store.remove("uploads/a")
    assert await store.stat("uploads/a") is None


async def test_a_listing_goes_on_where_the_last_page_ended(store: ObjectStore) -> None:
    for key in ("uploads/c", "uploads/a", "variants/a", "uploads/b"):
        await store.put(new_object(key))
    listed, page = [], await store.list_page("uploads/")
    while page:
        listed += page
        page = await store.list_page("uploads/", after=page[-1].key)
    assert [found.key for found in listed] == ["uploads/a", "uploads/b", "uploads/c"]
    assert {found.file_size for found in listed} == {len(CONTENT)}
    assert abs(datetime.now(UTC) - listed[0].changed_at) < timedelta(minutes=1)
    assert await store.list_page("nothing/") == []


async def test_a_store_that_answers_can_be_pinged(store: ObjectStore) -> None:
    await store.ping()


async def test_a_store_that_is_not_there_is_unavailable() -> None:
    server = S3Access(port=9, access_key_id="a", secret_access_key="b" * 16)
    async with open_s3(s3_settings(server, bucket="nowhere")) as store:
        with pytest.raises(ObjectStoreUnavailable) as unavailable:
            await store.stat("uploads/a")
    assert unavailable.value.operation == "stat"


async def test_a_presigned_put_takes_the_announced_bytes_once(s3: ObjectStore) -> None:
    upload = await s3.presign_upload(announced("uploads/a"), lifetime=LIFETIME)
    async with httpx.AsyncClient() as http:
        first = await http.put(upload.url, content=CONTENT, headers=upload.headers)
        second = await http.put(upload.url, content=CONTENT, headers=upload.headers)
    assert (first.status_code, second.status_code) == (200, 412)
    assert await s3.download(announced("uploads/a")) == CONTENT
    found = await s3.stat("uploads/a")
    assert found is not None
    assert (found.content_type, found.user_id) == ("image/jpeg", OWNER)


async def test_what_has_no_owner_or_a_wrong_one_is_described_all_the_same(s3: ObjectStore) -> None:
    await s3.put(new_object("uploads/a"))
    await s3.put(replace(new_object("uploads/b"), metadata={"user-id": "somebody"}))
    found = [await s3.stat(key) for key in ("uploads/a", "uploads/b")]
    assert [each.user_id for each in found if each] == [None, None]


@pytest.mark.parametrize(
    ("content", "changed", "status"),
    [
        (CONTENT[:-1] + b"?", {}, 400),
        (CONTENT + b"?", {"content-length": str(len(CONTENT) + 1)}, 403),
        (CONTENT, {"content-type": "text/html"}, 403),
        (CONTENT, {"if-none-match": None}, 403),
        (CONTENT, {"x-amz-checksum-sha256": None}, 403),
        (CONTENT, {"x-amz-meta-user-id": None}, 403),
        (CONTENT, {"x-amz-meta-user-id": str(uuid4())}, 403),
    ],
    ids=[
        "other bytes",
        "more bytes",
        "other type",
        "not write-once",
        "no checksum",
        "no owner",
        "other owner",
    ],
)
async def test_a_presigned_put_refuses_anything_else(
    s3: ObjectStore, content: bytes, changed: dict[str, str | None], status: int
) -> None:
    upload = await s3.presign_upload(announced("uploads/a"), lifetime=LIFETIME)
    headers = {
        name: value for name, value in {**upload.headers, **changed}.items() if value is not None
    }
    async with httpx.AsyncClient() as http:
        answer = await http.put(upload.url, content=content, headers=headers)
    assert answer.status_code == status
    assert await s3.stat("uploads/a") is None


async def test_nobody_reads_without_credentials(
    s3: ObjectStore, seaweedfs_server: S3Access
) -> None:
    upload = await s3.presign_upload(announced("uploads/a"), lifetime=LIFETIME)
    await s3.put(new_object("uploads/a"))
    async with httpx.AsyncClient() as http:
        answer = await http.get(upload.url.split("?", maxsplit=1)[0])
        listing = await http.get(seaweedfs_server.endpoint_url)
    assert answer.status_code == 403
    assert listing.status_code == 403


async def test_browsers_may_send_exactly_the_upload_headers(s3: ObjectStore) -> None:
    upload = await s3.presign_upload(announced("uploads/a"), lifetime=LIFETIME)
    wanted = sorted(set(upload.headers) - {"content-length"})
    async with httpx.AsyncClient() as http:
        answer = await http.options(
            upload.url,
            headers={
                "Origin": "https://app.example",
                "Access-Control-Request-Method": "PUT",
                "Access-Control-Request-Headers": ",".join(wanted),
            },
        )
    assert answer.status_code == 200
    allowed = answer.headers["access-control-allow-headers"].replace(" ", "").split(",")
    assert sorted(allowed) == wanted
