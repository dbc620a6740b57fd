"""Multipart uploads to S3: each part's URL is signed for its bytes, and the API completes them.

A store knows neither how many parts an upload should have nor the hash of the whole, so the caller
says which parts, and completes with `if-none-match: *`: nothing replaces an original. Clients get
no URL that completes, and a part's URL is worth nothing once the upload is completed.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError
from msgspec import Struct

from transcoder.object_store.checksums import to_base64
from transcoder.object_store.parts import Part, PresignedPart
from transcoder.object_store.protocol import OWNER_METADATA, Announced

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

# Another request has just completed or aborted it.
_GONE: Final = "NoSuchUpload"
# What a store answers if there is an object, or the parts are not those that were announced.
_NOT_MADE: Final = frozenset(
    {_GONE, "PreconditionFailed", "BadDigest", "InvalidPart", "InvalidRequest"}
)


class _StoredPart(Struct, frozen=True, kw_only=True):
    etag: str
    file_size: int
    # In base64; SeaweedFS does not list it, but checks it when the upload is completed.
    checksum: str | None


class S3Parts:
    """Multipart uploads to one bucket; raises what botocore raises."""

    def __init__(self, client: "S3Client", *, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    async def presign(
        self, announced: Announced, parts: Sequence[Part], *, lifetime: timedelta
    ) -> list[PresignedPart]:
        """Sign a PUT for each part that is not stored, in the open upload or in a new one."""
        upload_id = await self._open(announced)
        stored = await self._stored(announced.key, upload_id)
        return [
            PresignedPart(part=part, url=None, headers={})
            if _is_stored(part, stored)
            else await self._presign(
                part, key=announced.key, upload_id=upload_id, lifetime=lifetime
            )
            for part in parts
        ]

    async def complete(self, key: str, parts: Sequence[Part]) -> None:
        """See `ObjectStore.complete_parts`."""
        for upload_id in await self._open_uploads(key):
            stored = await self._stored(key, upload_id)
            if all(_is_stored(part, stored) for part in parts):
                await self._complete(key, upload_id, parts=parts, stored=stored)

    async def abort(self, key: str) -> None:
        """See `ObjectStore.abort_parts`."""
        for upload_id in await self._open_uploads(key):
            try:
                await self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=key, UploadId=upload_id
                )
            except ClientError as error:
                if _code(error) != _GONE:
                    raise

    async def _open(self, announced: Announced) -> str:
        if found := await self._open_uploads(announced.key):
            return found[0]
        created = await self._client.create_multipart_upload(
            Bucket=self._bucket,
            Key=announced.key,
            ContentType=announced.content_type,
            ChecksumAlgorithm="SHA256",
            Metadata={OWNER_METADATA: str(announced.user_id)},
        )
        # Requests at the same time open one each, and all use the oldest.
        return next(iter(await self._open_uploads(announced.key)), created["UploadId"])

    async def _open_uploads(self, key: str) -> list[str]:
        """The ids of the open uploads of an object, the oldest first."""
        page = await self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=key)
        # The prefix finds longer keys, too.
        found = [each for each in page.get("Uploads", ()) if each.get("Key") == key]
        return [each.get("UploadId", "") for each in sorted(found, key=_age)]

    async def _stored(self, key: str, upload_id: str) -> dict[int, _StoredPart]:
        """The stored parts, by number: at most 1,000 are listed, and no original has as many."""
        try:
            page = await self._client.list_parts(Bucket=self._bucket, Key=key, UploadId=upload_id)
        except ClientError as error:
            if _code(error) == _GONE:
                return {}
            raise
        # SeaweedFS lists a part that was sent twice as two.
        newest_last = sorted(page.get("Parts", ()), key=lambda each: each["LastModified"])
        return {
            each["PartNumber"]: _StoredPart(
                etag=each["ETag"], file_size=each["Size"], checksum=each.get("ChecksumSHA256")
            )
            for each in newest_last
        }

    async def _presign(
        self, part: Part, *, key: str, upload_id: str, lifetime: timedelta
    ) -> PresignedPart:
        checksum = to_base64(part.sha256)
        url = await self._client.generate_presigned_url(
            "upload_part",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "UploadId": upload_id,
                "PartNumber": part.number,
                "ContentLength": part.file_size,
                "ChecksumSHA256": checksum,
            },
            ExpiresIn=int(lifetime.total_seconds()),
            HttpMethod="PUT",
        )
        headers = {"content-length": str(part.file_size), "x-amz-checksum-sha256": checksum}
        return PresignedPart(part=part, url=url, headers=headers)

    async def _complete(
        self,
        key: str,
        upload_id: str,
        *,
        parts: Sequence[Part],
        stored: Mapping[int, _StoredPart],
    ) -> None:
        completed: list[CompletedPartTypeDef] = [
            {
                "PartNumber": part.number,
                "ETag": stored[part.number].etag,
                "ChecksumSHA256": to_base64(part.sha256),
            }
            for part in parts
        ]
        try:
            await self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": completed},
                IfNoneMatch="*",
            )
        except ClientError as error:
            # Parts that another object kept out are not aborted: that may be of the same parts.
            if _code(error) not in _NOT_MADE:
                raise


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _age(upload: Mapping[str, object]) -> tuple[str, str]:
    return str(upload["Initiated"]), str(upload["UploadId"])


def _is_stored(part: Part, stored: Mapping[int, _StoredPart]) -> bool:
    found = stored.get(part.number)
    return (
        found is not None
        and found.file_size == part.file_size
        and found.checksum in {None, to_base64(part.sha256)}
    )
