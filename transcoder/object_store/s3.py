"""S3 as the object store: AWS, SeaweedFS or any compatible server.

aioboto3 signs, describes, lists and removes; `S3Content` moves the bytes.

Presigned PUTs sign the content type, the length, the SHA-256 and `if-none-match: *`, so the store
accepts the announced bytes only, and only once.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import aioboto3
import anyio
from aiohttp import ClientError as HttpError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from transcoder.errors import ObjectStoreUnavailable
from transcoder.object_store.checksums import to_base64, to_hex
from transcoder.object_store.content import (
    CONNECT_TIMEOUT_SECONDS,
    READ_TIMEOUT_SECONDS,
    S3Content,
    open_content,
)
from transcoder.object_store.parts import Part, PresignedPart
from transcoder.object_store.protocol import (
    LISTED_AT_ONCE,
    Announced,
    ListedObject,
    NewObject,
    PresignedUpload,
    StoredObject,
)
from transcoder.object_store.s3_parts import S3Parts
from transcoder.settings import ObjectStoreSettings

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.literals import BucketLocationConstraintType
    from types_aiobotocore_s3.type_defs import (
        CORSRuleTypeDef,
        LifecycleRuleTypeDef,
    )

AWS_DEFAULT_REGION: Final = "us-east-1"
STAT_WITHIN_SECONDS: Final = 5
CONNECTIONS: Final = 64
UNFINISHED_UPLOAD_DAYS: Final = 7

_MISSING: Final = frozenset({"404", "NoSuchKey"})
_CORS: "CORSRuleTypeDef" = {
    "AllowedMethods": ["PUT"],
    "AllowedOrigins": ["*"],
    "AllowedHeaders": ["content-type", "if-none-match", "x-amz-checksum-sha256"],
    "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": 3600,
}
_LIFECYCLE: "LifecycleRuleTypeDef" = {
    "ID": "remove-unfinished-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_UPLOAD_DAYS},
}


@asynccontextmanager
async def open_s3(settings: ObjectStoreSettings) -> "AsyncIterator[S3ObjectStore]":
    """Connect to the bucket of `settings`; disconnect at the end."""
    session = aioboto3.Session(
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        region_name=settings.region,
    )
    # One attempt per call: callers decide whether to retry, by whether a client is waiting.
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if _is_path_style(settings) else "virtual"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"total_max_attempts": 1},
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        max_pool_connections=CONNECTIONS,
    )

    def connect(endpoint_url: str | None) -> "AbstractAsyncContextManager[S3Client]":
        # aioboto3 has no types for the session; this is a context manager of an S3Client.
        opening: Any = session.client("s3", endpoint_url=endpoint_url, config=config)
        return cast("AbstractAsyncContextManager[S3Client]", opening)

    public_url = settings.public_endpoint_url
    async with (
        connect(settings.endpoint_url) as client,
        connect(public_url) if public_url else nullcontext(client) as presigner,
    ):
        content = open_content(
            session,
            bucket_url=_bucket_url(client.meta.endpoint_url, settings),
            bucket=settings.bucket,
            region=settings.region,
        )
        yield S3ObjectStore(
            client,
            presigner=presigner,
            content=content,
            bucket=settings.bucket,
            region=settings.region,
        )


async def prepare_bucket(settings: ObjectStoreSettings) -> None:
    """Bring the bucket of `settings` to this version; see `ObjectStore.prepare`."""
    async with open_s3(settings) as store:
        await store.prepare()


class S3ObjectStore:
    """One bucket; implements `ObjectStore`. Presigned URLs name the endpoint of `presigner`."""

    def __init__(
        self,
        client: "S3Client",
        *,
        presigner: "S3Client",
        content: S3Content,
        bucket: str,
        region: str,
    ) -> None:
        self._client = client
        self._presigner = presigner
        self._content = content
        self._parts = S3Parts(client, bucket=bucket)
        self._bucket = bucket
        self._region = region

    async def presign_upload(self, announced: Announced, *, lifetime: timedelta) -> PresignedUpload:
        """See `ObjectStore.presign_upload`; takes a millisecond of CPU and no request."""
        expires_at = datetime.now(UTC) + lifetime
        checksum = to_base64(announced.sha256)
        url = await self._presigner.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._bucket,
                "Key": announced.key,
                "ContentType": announced.content_type,
                "ContentLength": announced.file_size,
                "ChecksumSHA256": checksum,
                "IfNoneMatch": "*",
            },
            ExpiresIn=int(lifetime.total_seconds()),
            HttpMethod="PUT",
        )
        headers = {
            "content-type": announced.content_type,
            "content-length": str(announced.file_size),
            "x-amz-checksum-sha256": checksum,
            "if-none-match": "*",
        }
        return PresignedUpload(url=url, headers=headers, expires_at=expires_at)

    async def stat(self, key: str) -> StoredObject | None:
        """See `ObjectStore.stat`; one HeadObject with a short timeout, since a client waits."""
        with _translated_errors("stat", key), anyio.fail_after(STAT_WITHIN_SECONDS):
            try:
                head = await self._client.head_object(
                    Bucket=self._bucket, Key=key, ChecksumMode="ENABLED"
                )
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise
        # That of an object of parts is a checksum of checksums: `-` and their number follow it.
        checksum = head.get("ChecksumSHA256")
        of_parts = checksum if checksum and "-" in checksum else None
        return StoredObject(
            file_size=head["ContentLength"],
            sha256=to_hex(checksum) if checksum and not of_parts else None,
            checksum_of_parts=of_parts,
        )

    async def presign_parts(
        self, announced: Announced, parts: Sequence[Part], *, lifetime: timedelta
    ) -> list[PresignedPart]:
        """See `ObjectStore.presign_parts`; two requests, and four for a new upload."""
        with _translated_errors("presign_parts", announced.key):
            return await self._parts.presign(announced, parts, lifetime=lifetime)

    async def complete_parts(self, key: str, parts: Sequence[Part]) -> None:
        """See `ObjectStore.complete_parts`."""
        with _translated_errors("complete_parts", key):
            await self._parts.complete(key, parts)

    async def abort_parts(self, key: str) -> None:
        """See `ObjectStore.abort_parts`."""
        with _translated_errors("abort_parts", key):
            await self._parts.abort(key)

    async def download(self, announced: Announced) -> bytes:
        """See `ObjectStore.download`."""
        return await self._content.download(announced)

    async def read(self, key: str) -> bytes | None:
        """See `ObjectStore.read`."""
        return await self._content.read(key)

    async def put(self, new: NewObject) -> None:
        """See `ObjectStore.put`."""
        await self._content.put(new)

    async def remove(self, key: str) -> None:
        """See `ObjectStore.remove`."""
        with _translated_errors("remove", key):
            await self._client.delete_object(Bucket=self._bucket, Key=key)

    async def list_page(self, prefix: str, *, after: str = "") -> list[ListedObject]:
        """See `ObjectStore.list_page`; one request."""
        with _translated_errors("list", prefix):
            page = await self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=prefix, StartAfter=after, MaxKeys=LISTED_AT_ONCE
            )
        # The types allow these fields to be absent.
        contents: list[Any] = list(page.get("Contents", ()))
        return [
            ListedObject(
                key=found["Key"], file_size=found["Size"], changed_at=found["LastModified"]
            )
            for found in contents
        ]

    async def prepare(self) -> None:
        """See `ObjectStore.prepare`."""
        with _translated_errors("prepare", self._bucket):
            try:
                await self._client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if _code(error) not in _MISSING:
                    raise
                await self._create_bucket()
            await self._client.put_bucket_cors(
                Bucket=self._bucket, CORSConfiguration={"CORSRules": [_CORS]}
            )
            await self._client.put_bucket_lifecycle_configuration(
                Bucket=self._bucket, LifecycleConfiguration={"Rules": [_LIFECYCLE]}
            )

    async def _create_bucket(self) -> None:
        if self._region == AWS_DEFAULT_REGION:
            await self._client.create_bucket(Bucket=self._bucket)
            return
        # AWS requires the constraint for every other region, and rejects it for this one.
        await self._client.create_bucket(
            Bucket=self._bucket,
            CreateBucketConfiguration={
                "LocationConstraint": cast("BucketLocationConstraintType", self._region)
            },
        )

    async def ping(self) -> None:
        """See `ObjectStore.ping`."""
        with _translated_errors("ping", self._bucket):
            await self._client.head_bucket(Bucket=self._bucket)


def _is_path_style(settings: ObjectStoreSettings) -> bool:
    """Whether the bucket's name is part of the path; AWS's certificates fit no name with dots."""
    return settings.endpoint_url is not None or "." in settings.bucket


def _bucket_url(endpoint_url: str, settings: ObjectStoreSettings) -> str:
    """The URL below which keys are, as aioboto3 builds it."""
    if _is_path_style(settings):
        return f"{endpoint_url.rstrip('/')}/{settings.bucket}"
    scheme, _, host = endpoint_url.partition("://")
    return f"{scheme}://{settings.bucket}.{host}"


@contextmanager
def _translated_errors(operation: str, key: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError, HttpError, TimeoutError, OSError) as error:
        raise ObjectStoreUnavailable(operation=operation, key=key) from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
