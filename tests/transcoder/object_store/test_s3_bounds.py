"""S3 at its bounds: stores that send too much, too slowly, or refuse, and URLs that expire."""

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
from anyio.lowlevel import checkpoint
from botocore.exceptions import ClientError

from transcoder.errors import ChecksumMismatch, ObjectStoreUnavailable, OriginalMissing
from transcoder.object_store import s3
from transcoder.object_store.protocol import IMMUTABLE, Announced, NewObject
from transcoder.object_store.s3 import S3ObjectStore, open_s3
from transcoder.settings import ObjectStoreSettings

pytestmark = pytest.mark.anyio

CONTENT = b"a photo"
ANNOUNCED = Announced(
    key="uploads/a",
    content_type="image/jpeg",
    file_size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)


class EndlessBody:
    """Sends one chunk after the other until its reader has had enough."""

    def __init__(self) -> None:
        self.sent = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def iter_chunks(self, size: int) -> AsyncIterator[bytes]:
        while True:
            await checkpoint()
            self.sent += size
            yield b"\0" * size


class FakeClient:
    """Stands in for aioboto3's client: sends `body`, fails with an S3 error `code`, or hangs."""

    def __init__(self, *, body: EndlessBody | None = None, code: str | None = None) -> None:
        self._body = body
        self._code = code
        self.stored: dict[str, Any] = {}

    async def get_object(self, **_: object) -> dict[str, EndlessBody | None]:
        if self._code is not None:
            raise ClientError({"Error": {"Code": self._code}}, "GetObject")
        return {"Body": self._body}

    async def head_object(self, **_: object) -> dict[str, object]:
        if self._code is not None:
            raise ClientError({"Error": {"Code": self._code}}, "HeadObject")
        await anyio.sleep_forever()
        raise AssertionError

    async def put_object(self, **values: object) -> None:
        self.stored = values


def store_with(client: Any) -> S3ObjectStore:
    return S3ObjectStore(client, bucket="photos", region="eu-central-1")


async def test_a_download_of_more_than_was_announced_is_ended_at_once() -> None:
    body = EndlessBody()

    with anyio.fail_after(30), pytest.raises(ChecksumMismatch):
        await store_with(FakeClient(body=body)).download(ANNOUNCED)

    assert body.sent <= 2 * s3.CHUNK_BYTES


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown", "InternalError"])
async def test_a_refusal_is_not_taken_for_a_missing_object(code: str) -> None:
    store = store_with(FakeClient(code=code))

    for ask in (store.download(ANNOUNCED), store.stat(ANNOUNCED.key), store.read(ANNOUNCED.key)):
        with pytest.raises(ObjectStoreUnavailable):
            await ask


async def test_a_missing_object_is_told_apart_from_a_refusal() -> None:
    store = store_with(FakeClient(code="NoSuchKey"))

    with pytest.raises(OriginalMissing):
        await store.download(ANNOUNCED)
    assert await store.stat(ANNOUNCED.key) is None
    assert await store.read(ANNOUNCED.key) is None


async def test_a_stat_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "STAT_WITHIN_SECONDS", 0.1)

    with anyio.fail_after(30), pytest.raises(ObjectStoreUnavailable):
        await store_with(FakeClient()).stat(ANNOUNCED.key)


async def test_a_variant_is_stored_with_its_checksum_and_may_be_cached_for_ever() -> None:
    client = FakeClient()
    new = NewObject(
        key="variants/a.jpg",
        content=CONTENT,
        content_type="image/jpeg",
        sha256=ANNOUNCED.sha256,
        cache_control=IMMUTABLE,
        metadata={},
    )

    await store_with(client).put(new)

    assert client.stored["CacheControl"] == IMMUTABLE
    assert client.stored["ContentType"] == "image/jpeg"
    assert client.stored["ChecksumSHA256"]


async def test_a_presigned_url_expires_when_it_says() -> None:
    settings = ObjectStoreSettings(bucket="photos", access_key_id="key", secret_access_key="secret")
    async with open_s3(settings) as store:
        upload = await store.presign_upload(ANNOUNCED, lifetime=timedelta(minutes=15))

    query = parse_qs(urlsplit(upload.url).query)
    assert query["X-Amz-Expires"] == ["900"]
    signed = query["X-Amz-SignedHeaders"][0].split(";")
    assert {*upload.headers} <= {*signed}
