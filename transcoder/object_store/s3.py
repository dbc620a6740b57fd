"""S3 as the object store: AWS, SeaweedFS or any compatible server.

aioboto3 signs, describes, lists and removes; `S3Content` moves the bytes.

Presigned PUTs sign the content type, the length, the SHA-256, the owner and `if-none-match: *`, so
the store accepts the announced bytes only, and only once.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import anyio
from botocore.exceptions import ClientError

from transcoder.object_store.checksums import to_base64, to_hex
from transcoder.object_store.content import S3Content, open_content
from transcoder.object_store.parts import Part, PresignedPart
from transcoder.object_store.protocol import (
    LISTED_AT_ONCE,
    OWNER_HEADER,
    OWNER_METADATA,
    Announced,
    ListedObject,
    NewObject,
    PresignedUpload,
    StoredObject,
)
from transcoder.object_store.s3_client import (
    MISSING,
    connect,
    error_code,
    is_path_style,
    open_session,
    translated_errors,
)
from transcoder.object_store.s3_parts import S3Parts
from transcoder.settings import ObjectStoreSettings

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

STAT_WITHIN_SECONDS: Final = 5


@asynccontextmanager
async def open_s3(settings: ObjectStoreSettings) -> "AsyncIterator[S3ObjectStore]":
    """Connect to the bucket of `settings`; disconnect at the end."""
    session = open_session(settings)
    public_url = settings.public_endpoint_url
    async with (
        connect(session, settings) as client,
        connect(session, settings, endpoint_url=public_url)
        if public_url
        else nullcontext(client) as presigner,
    ):
        content = open_content(
            session,
            bucket_url=_bucket_url(client.meta.endpoint_url, settings),
            bucket=settings.bucket,
            region=settings.region,
        )
        yield S3ObjectStore(client, presigner=presigner, content=content, bucket=settings.bucket)


class S3ObjectStore:
    """One bucket; implements `ObjectStore`. Presigned URLs name the endpoint of `presigner`."""

    def __init__(
        self,
        client: "S3Client",
        *,
        presigner: "S3Client",
        content: S3Content,
        bucket: str,
    ) -> None:
        self._client = client
        self._presigner = presigner
        self._content = content
        self._parts = S3Parts(client, bucket=bucket)
        self._bucket = bucket

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
                "Metadata": {OWNER_METADATA: str(announced.user_id)},
            },
            ExpiresIn=int(lifetime.total_seconds()),
            HttpMethod="PUT",
        )
        headers = {
            "content-type": announced.content_type,
            "content-length": str(announced.file_size),
            "x-amz-checksum-sha256": checksum,
            "if-none-match": "*",
            OWNER_HEADER: str(announced.user_id),
        }
        return PresignedUpload(url=url, headers=headers, expires_at=expires_at)

    async def stat(self, key: str) -> StoredObject | None:
        """See `ObjectStore.stat`; one HeadObject with a short timeout, since a client waits."""
        with translated_errors("stat", key), anyio.fail_after(STAT_WITHIN_SECONDS):
            try:
                head = await self._client.head_object(
                    Bucket=self._bucket, Key=key, ChecksumMode="ENABLED"
                )
            except ClientError as error:
                if error_code(error) in MISSING:
                    return None
                raise
        # That of an object of parts is a checksum of checksums: `-` and their number follow it.
        checksum = head.get("ChecksumSHA256")
        of_parts = checksum if checksum and "-" in checksum else None
        return StoredObject(
            file_size=head["ContentLength"],
            content_type=head["ContentType"],
            user_id=_owner(head["Metadata"]),
            sha256=to_hex(checksum) if checksum and not of_parts else None,
            checksum_of_parts=of_parts,
        )

    async def presign_parts(
        self, announced: Announced, parts: Sequence[Part], *, lifetime: timedelta
    ) -> list[PresignedPart]:
        """See `ObjectStore.presign_parts`; two requests, and four for a new upload."""
        with translated_errors("presign_parts", announced.key):
            return await self._parts.presign(announced, parts, lifetime=lifetime)

    async def complete_parts(self, key: str, parts: Sequence[Part]) -> None:
        """See `ObjectStore.complete_parts`."""
        with translated_errors("complete_parts", key):
            await self._parts.complete(key, parts)

    async def abort_parts(self, key: str) -> None:
        """See `ObjectStore.abort_parts`."""
        with translated_errors("abort_parts", key):
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
        with translated_errors("remove", key):
            await self._client.delete_object(Bucket=self._bucket, Key=key)

    async def list_page(self, prefix: str, *, after: str = "") -> list[ListedObject]:
        """See `ObjectStore.list_page`; one request."""
        with translated_errors("list", prefix):
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

    async def ping(self) -> None:
        """See `ObjectStore.ping`."""
        with translated_errors("ping", self._bucket):
            await self._client.head_bucket(Bucket=self._bucket)


def _owner(metadata: Mapping[str, str]) -> UUID | None:
    try:
        return UUID(metadata[OWNER_METADATA])
    except (KeyError, ValueError):
        return None


def _bucket_url(endpoint_url: str, settings: ObjectStoreSettings) -> str:
    """The URL below which keys are, as aioboto3 builds it."""
    if is_path_style(settings):
        return f"{endpoint_url.rstrip('/')}/{settings.bucket}"
    scheme, _, host = endpoint_url.partition("://")
    return f"{scheme}://{settings.bucket}.{host}"
