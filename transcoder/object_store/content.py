"""The content of objects in S3: GET and PUT through obstore, at a third of aioboto3's CPU.

Endpoint, credentials and trusted certificates are those of an aioboto3 client, so both talk to the
same store as the same user.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aioboto3
import anyio
import obstore
from botocore.exceptions import NoCredentialsError
from botocore.httpsession import get_cert_path
from obstore.exceptions import BaseError
from obstore.store import S3Store

from transcoder.errors import ChecksumMismatch, ObjectStoreUnavailable, OriginalMissing
from transcoder.object_store.protocol import Announced, NewObject

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import ClientConfig, S3Config, S3Credential

CONNECT_TIMEOUT_SECONDS: Final = 3
READ_TIMEOUT_SECONDS: Final = 20
# A put gets the time that a line of this speed needs for it, beside that for the reply.
SLOWEST_BYTES_PER_SECOND: Final = 10_000
# Jobs have a shorter limit; this one is for callers without any.
REQUEST_TIMEOUT_SECONDS: Final = 600
# obstore asks for credentials again when these have five minutes left. botocore renews those of a
# role when they have ten minutes left, so none expires in between.
CREDENTIALS_LIFETIME: Final = timedelta(minutes=10)

_CODE: Final = re.compile(r"<Code>(\w+)</Code>")


class S3Content:
    """GET and PUT on one bucket; its methods are those of `ObjectStore`. Retries nothing."""

    def __init__(self, *, reading: S3Store, writing: S3Store) -> None:
        self._reading = reading
        self._writing = writing

    async def download(self, announced: Announced) -> bytes:
        """See `ObjectStore.download`; downloads nothing of an object that has another size."""
        with _translated_errors("download", announced.key):
            found = await self._get(announced.key)
            if found is None:
                raise OriginalMissing(key=announced.key)
            size = found.meta["size"]
            if size != announced.file_size:
                raise ChecksumMismatch(expected=announced.sha256, actual=f"{size} bytes")
            content = bytes(await found.bytes_async())
        actual = hashlib.sha256(content).hexdigest()
        if actual != announced.sha256:
            raise ChecksumMismatch(expected=announced.sha256, actual=actual)
        return content

    async def read(self, key: str) -> bytes | None:
        """See `ObjectStore.read`."""
        with _translated_errors("read", key):
            found = await self._get(key)
            return None if found is None else bytes(await found.bytes_async())

    async def put(self, new: NewObject) -> None:
        """See `ObjectStore.put`; the store checks the SHA-256."""
        # obstore announces the hash of whatever it gets, so the store would take other bytes.
        if hashlib.sha256(new.content).hexdigest() != new.sha256:
            raise ObjectStoreUnavailable(operation="put", key=new.key)
        attributes = {"Content-Type": new.content_type, "Cache-Control": new.cache_control}
        seconds = READ_TIMEOUT_SECONDS + len(new.content) / SLOWEST_BYTES_PER_SECOND
        with _translated_errors("put", new.key), anyio.fail_after(seconds):
            await obstore.put_async(
                self._writing,
                new.key,
                new.content,
                attributes={**attributes, **new.metadata},
                use_multipart=False,
            )

    async def _get(self, key: str) -> "GetResult | None":
        try:
            return await obstore.get_async(self._reading, key)
        except FileNotFoundError as error:
            # Of a missing bucket, S3 says 404 as well.
            if _code(error) in {None, "NoSuchKey"}:
                return None
            raise


class _SessionCredentials:
    """Hands the credentials of an aioboto3 session to obstore: of keys, a profile or a role."""

    def __init__(self, session: aioboto3.Session) -> None:
        self._session = session

    async def __call__(self) -> "S3Credential":
        # boto3's types know no coroutines.
        asking: Any = self._session.get_credentials()
        found = await asking
        if found is None:
            raise NoCredentialsError
        keys = await found.get_frozen_credentials()
        return {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "token": keys.token,
            "expires_at": datetime.now(UTC) + CREDENTIALS_LIFETIME,
        }


def open_content(
    session: aioboto3.Session, *, bucket_url: str, bucket: str, region: str
) -> S3Content:
    """Connect to the bucket at `bucket_url` as the user of an aioboto3 session."""
    config: S3Config = {
        # Either name alone would yield to the other one in the environment.
        "endpoint": bucket_url,
        "aws_endpoint_url_s3": bucket_url,
        "virtual_hosted_style_request": True,
        "region": region,
        "skip_signature": False,
        "checksum_algorithm": "SHA256",
        # The checksum is signed, so the payload need not be hashed again.
        "unsigned_payload": True,
    }
    options: ClientConfig = {
        "allow_http": bucket_url.startswith("http:"),
        "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_SECONDS),
        "timeout": timedelta(seconds=REQUEST_TIMEOUT_SECONDS),
        "root_certificate": _trusted_certificates(session),
    }

    def connect(options: "ClientConfig") -> S3Store:
        return S3Store(
            bucket,
            config=config,
            client_options=options,
            retry_config={"max_retries": 0},
            credential_provider=_SessionCredentials(session),
        )

    # obstore's read timeout would count the sending of a body, too.
    silence = timedelta(seconds=READ_TIMEOUT_SECONDS)
    return S3Content(
        reading=connect({**options, "read_timeout": silence}), writing=connect(options)
    )


def _trusted_certificates(session: aioboto3.Session) -> bytes:
    """The bundle that botocore trusts: its own, or AWS_CA_BUNDLE. An image may have none itself."""
    chosen = session._session.get_config_variable("ca_bundle")  # noqa: SLF001 - it has no other way
    return Path(get_cert_path(chosen or True)).read_bytes()


@contextmanager
def _translated_errors(operation: str, key: str) -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        raise ObjectStoreUnavailable(operation=operation, key=key) from _shortened(error)


def _shortened(error: Exception) -> Exception:
    """The same without the store's reply, which repeats signatures; its code remains."""
    line = str(error).partition("\n")[0].partition(": <")[0]
    code = _code(error)
    return type(error)(f"{line}: {code}" if code else line)


def _code(error: Exception) -> str | None:
    found = _CODE.search(str(error))
    return found[1] if found else None
