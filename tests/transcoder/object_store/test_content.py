"""Content in S3 at its bounds: stores that send too much, stay silent or refuse; credentials."""

import base64
import hashlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
import trustme
from aiohttp import web
from msgspec.structs import replace

from tests.transcoder.object_store.scripted_store import (
    BUCKET,
    refusing,
    scripted_store,
    sending,
    sending_in_parts,
)
from transcoder.errors import ChecksumMismatch, ObjectStoreUnavailable, OriginalMissing
from transcoder.object_store import content
from transcoder.object_store.protocol import IMMUTABLE, Announced, NewObject
from transcoder.object_store.s3 import open_s3
from transcoder.settings import ObjectStoreSettings

pytestmark = pytest.mark.anyio

CONTENT = b"a photo" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ANNOUNCED = Announced(
    key="uploads/a",
    user_id=uuid4(),
    content_type="image/jpeg",
    file_size=len(CONTENT),
    sha256=SHA256,
)
NEW = NewObject(
    key="variants/a.jpg",
    content=CONTENT,
    content_type="image/jpeg",
    sha256=SHA256,
    cache_control=IMMUTABLE,
    metadata={"variant": "medium"},
)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives a silent store up soon."""
    monkeypatch.setattr(content, "READ_TIMEOUT_SECONDS", 0.3)


async def silence(_request: web.Request) -> web.Response:
    await anyio.sleep_forever()
    raise AssertionError


async def one_part_then_silence() -> AsyncIterator[bytes]:
    yield CONTENT[:10]
    await anyio.sleep_forever()


async def test_an_object_of_another_size_is_not_downloaded() -> None:
    # Of so many bytes it would wait for the rest.
    announcing = sending_in_parts(one_part_then_silence(), size=10**9)
    async with scripted_store(announcing) as server, open_s3(server.settings) as store:
        with anyio.fail_after(30), pytest.raises(ChecksumMismatch) as raised:
            await store.download(ANNOUNCED)
    assert raised.value.actual == "1000000000 bytes"


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "AccessDenied"), (404, "NoSuchBucket"), (500, "InternalError"), (503, "SlowDown")],
)
async def test_a_refusal_is_not_taken_for_a_missing_object_nor_retried(
    status: int, code: str
) -> None:
    async with scripted_store(refusing(status, code)) as server, open_s3(server.settings) as store:
        for ask in (store.download(ANNOUNCED), store.read(ANNOUNCED.key), store.put(NEW)):
            with pytest.raises(ObjectStoreUnavailable) as raised:
                await ask
            assert code in str(raised.value.__cause__)
    assert [asked.method for asked in server.asked] == ["GET", "GET", "PUT"]


@pytest.mark.parametrize("code", ["NoSuchKey", None])
async def test_a_missing_object_is_told_apart_from_a_refusal(code: str | None) -> None:
    async with scripted_store(refusing(404, code)) as server, open_s3(server.settings) as store:
        with pytest.raises(OriginalMissing):
            await store.download(ANNOUNCED)
        assert await store.read(ANNOUNCED.key) is None


async def test_an_error_does_not_repeat_what_was_signed() -> None:
    said = (
        "<StringToSign>AWS4-HMAC-SHA256</StringToSign><SignatureProvided>0123</SignatureProvided>"
    )
    refusal = refusing(403, "SignatureDoesNotMatch", said=said)
    async with scripted_store(refusal) as server, open_s3(server.settings) as store:
        with pytest.raises(ObjectStoreUnavailable) as raised:
            await store.put(NEW)
    reason = str(raised.value.__cause__)
    assert "SignatureDoesNotMatch" in reason
    assert "Sign" not in reason.replace("SignatureDoesNotMatch", "")
    assert "\n" not in reason


async def test_a_variant_is_put_once_with_its_checksum_and_may_be_cached_for_ever() -> None:
    async with scripted_store(sending(b"")) as server, open_s3(server.settings) as store:
        await store.put(NEW)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("PUT", f"/{BUCKET}/{NEW.key}")
    assert asked.body == CONTENT
    assert asked.headers["cache-control"] == IMMUTABLE
    assert asked.headers["content-type"] == "image/jpeg"
    assert asked.headers["x-amz-meta-variant"] == "medium"
    checksum = base64.b64decode(asked.headers["x-amz-checksum-sha256"]).hex()
    assert checksum == SHA256
    assert "x-amz-checksum-sha256" in asked.headers["authorization"]


async def test_other_bytes_than_their_checksum_says_are_not_sent() -> None:
    async with scripted_store(sending(b"")) as server, open_s3(server.settings) as store:
        with pytest.raises(ObjectStoreUnavailable):
            await store.put(replace(NEW, content=CONTENT[::-1]))
    assert not server.asked


@pytest.mark.usefixtures("impatient")
async def test_a_silent_store_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "SLOWEST_BYTES_PER_SECOND", 10 * len(CONTENT))
    stops = sending_in_parts(one_part_then_silence(), size=len(CONTENT))
    for respond in (silence, stops):
        async with scripted_store(respond) as server, open_s3(server.settings) as store:
            for ask in (store.download(ANNOUNCED), store.read(ANNOUNCED.key)):
                with anyio.fail_after(30), pytest.raises(ObjectStoreUnavailable):
                    await ask
    async with scripted_store(silence) as server, open_s3(server.settings) as store:
        with anyio.fail_after(30), pytest.raises(ObjectStoreUnavailable):
            await store.put(NEW)


@pytest.mark.usefixtures("impatient")
async def test_a_slow_line_may_take_longer_for_a_variant_than_a_store_may_be_silent() -> None:
    large = bytes(20_000)
    new = replace(NEW, content=large, sha256=hashlib.sha256(large).hexdigest())

    async def read_late(request: web.Request) -> web.StreamResponse:
        await anyio.sleep(3 * content.READ_TIMEOUT_SECONDS)
        return await sending(b"")(request)

    async with scripted_store(read_late) as server, open_s3(server.settings) as store:
        await store.put(new)
    assert server.asked[0].body == large


async def test_without_keys_the_role_of_the_machine_is_used_and_renewed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As containers get it: botocore asks, and a role that expires soon is asked for again."""
    handed_out: list[str] = []

    async def respond(request: web.Request) -> web.StreamResponse:
        if request.path != "/role":
            return await sending(CONTENT)(request)
        handed_out.append(f"id-{len(handed_out)}")
        expires_at = datetime.now(UTC) + timedelta(minutes=1)
        role = {"AccessKeyId": handed_out[-1], "SecretAccessKey": "s", "Token": handed_out[-1]}
        return web.json_response({**role, "Expiration": expires_at.isoformat()})

    # So that obstore asks before each request.
    monkeypatch.setattr(content, "CREDENTIALS_LIFETIME", timedelta())
    without_keys(monkeypatch, tmp_path)
    async with scripted_store(respond) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/role")
        settings = replace(server.settings, access_key_id=None, secret_access_key=None)
        async with open_s3(settings) as store:
            assert await store.download(ANNOUNCED) == CONTENT
            assert await store.download(ANNOUNCED) == CONTENT
    used = [asked.headers for asked in server.asked if asked.path != "/role"]
    assert len({headers["x-amz-security-token"] for headers in used}) == len(used) == 2
    for headers in used:
        assert f"Credential={headers['x-amz-security-token']}/" in headers["authorization"]


async def test_without_any_credentials_the_store_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_keys(monkeypatch, tmp_path)
    async with scripted_store(sending(CONTENT)) as server:
        settings = replace(server.settings, access_key_id=None, secret_access_key=None)
        async with open_s3(settings) as store:
            with pytest.raises(ObjectStoreUnavailable, match="download"):
                await store.download(ANNOUNCED)
    assert not server.asked


def without_keys(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Leave nothing that botocore finds credentials in."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


async def test_the_environment_neither_leads_elsewhere_nor_leaves_requests_unsigned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    async with scripted_store(sending(CONTENT)) as server, open_s3(server.settings) as store:
        assert await store.download(ANNOUNCED) == CONTENT
    assert "Credential=key-id/" in server.asked[0].headers["authorization"]


async def test_a_certificate_is_trusted_if_the_bundle_of_the_environment_names_its_issuer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    bundle = tmp_path / "bundle.pem"
    authority.cert_pem.write_to_path(str(bundle))
    async with scripted_store(sending(CONTENT), tls=tls) as server:
        async with open_s3(server.settings) as store:
            with pytest.raises(ObjectStoreUnavailable):
                await store.read(ANNOUNCED.key)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
        async with open_s3(server.settings) as store:
            assert await store.read(ANNOUNCED.key) == CONTENT


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "cn-north-1"])
@pytest.mark.parametrize("bucket", ["photos", "photos.example"])
async def test_content_is_where_uploads_are_signed_for(bucket: str, region: str) -> None:
    settings = ObjectStoreSettings(
        bucket=bucket, region=region, access_key_id="key", secret_access_key="secret"
    )
    async with open_s3(settings) as store:
        upload = await store.presign_upload(ANNOUNCED, lifetime=timedelta(minutes=1))
        config = store._content._reading.config
    assert upload.url.startswith(f"{config.get('endpoint')}/{ANNOUNCED.key}?")
