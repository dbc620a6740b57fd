"""S3 at its bounds: stores that do not describe an object or refuse to, and URLs that expire."""

import hashlib
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import anyio
import pytest
from botocore.exceptions import ClientError

from transcoder.errors import ObjectStoreUnavailable
from transcoder.object_store import s3
from transcoder.object_store.protocol import Announced
from transcoder.object_store.s3 import S3ObjectStore, open_s3
from transcoder.settings import ObjectStoreSettings

pytestmark = pytest.mark.anyio

CONTENT = b"a photo"
ANNOUNCED = Announced(
    key="uploads/a",
    user_id=uuid4(),
    content_type="image/jpeg",
    file_size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)


class FakeClient:
    """Stands in for aioboto3's client: fails with an S3 error `code`, or hangs."""

    def __init__(self, *, code: str | None = None) -> None:
        self._code = code

    async def head_object(self, **_: object) -> dict[str, object]:
        if self._code is not None:
            raise ClientError({"Error": {"Code": self._code}}, "HeadObject")
        await anyio.sleep_forever()
        raise AssertionError


def store_with(client: Any) -> S3ObjectStore:
    no_content: Any = None
    return S3ObjectStore(client, presigner=client, content=no_content, bucket="photos")


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown", "InternalError"])
async def test_a_refusal_is_not_taken_for_a_missing_object(code: str) -> None:
    with pytest.raises(ObjectStoreUnavailable):
        await store_with(FakeClient(code=code)).stat(ANNOUNCED.key)


async def test_a_missing_object_is_told_apart_from_a_refusal() -> None:
    assert await store_with(FakeClient(code="NoSuchKey")).stat(ANNOUNCED.key) is None


async def test_a_stat_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "STAT_WITHIN_SECONDS", 0.1)

    with anyio.fail_after(30), pytest.raises(ObjectStoreUnavailable):
        await store_with(FakeClient()).stat(ANNOUNCED.key)


async def test_a_presigned_url_expires_when_it_says() -> None:
    settings = ObjectStoreSettings(bucket="photos", access_key_id="key", secret_access_key="secret")
    async with open_s3(settings) as store:
        upload = await store.presign_upload(ANNOUNCED, lifetime=timedelta(minutes=15))

    query = parse_qs(urlsplit(upload.url).query)
    assert query["X-Amz-Expires"] == ["900"]
    signed = query["X-Amz-SignedHeaders"][0].split(";")
    assert {*upload.headers} <= {*signed}


async def test_a_presigned_url_names_where_clients_reach_the_store() -> None:
    settings = ObjectStoreSettings(
        bucket="photos",
        endpoint_url="http://store.internal:8333",
        public_endpoint_url="http://192.168.1.20:9000",
        access_key_id="key",
        secret_access_key="secret",
    )
    async with open_s3(settings) as store:
        upload = await store.presign_upload(ANNOUNCED, lifetime=timedelta(minutes=15))
    assert upload.url.startswith(f"http://192.168.1.20:9000/photos/{ANNOUNCED.key}?")
