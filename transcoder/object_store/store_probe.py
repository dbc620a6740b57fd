"""Whether an S3 store does what publishing relies on; compatible stores often lack a part."""

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from botocore.exceptions import ClientError

from transcoder.errors import UnsuitableObjectStore
from transcoder.object_store.checksums import to_base64

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

# Outside the folders of originals and variants, so that no one takes a probe for a photo.
FOLDER: Final = "probes/"
_CONTENT: Final = b"nova: may be removed"


async def check_store(client: "S3Client", bucket: str) -> None:
    """Put two small objects, look at the answers, and remove what was stored.

    Raises:
        UnsuitableObjectStore: with everything that the store lacks.
        botocore.exceptions.ClientError: it refuses even to store an object.
    """
    intact, damaged = (f"{FOLDER}{uuid4()}" for _ in range(2))
    missing = []
    try:
        await _put(client, bucket, intact)
        head = await client.head_object(Bucket=bucket, Key=intact, ChecksumMode="ENABLED")
        if head.get("ChecksumSHA256") != _checksum(_CONTENT):
            missing.append("SHA-256 checksums in HEAD (ChecksumMode=ENABLED)")
        if not await _is_refused(client, bucket, intact):
            missing.append("conditional PUT (If-None-Match: *)")
        if not await _is_refused(client, bucket, damaged, checksum=_checksum(_CONTENT[::-1])):
            missing.append("refusal of bytes with another SHA-256 than x-amz-checksum-sha256")
    finally:
        for key in (intact, damaged):
            with suppress(ClientError):
                await client.delete_object(Bucket=bucket, Key=key)
    if missing:
        raise UnsuitableObjectStore(missing)


async def _is_refused(
    client: "S3Client", bucket: str, key: str, *, checksum: str | None = None
) -> bool:
    try:
        await _put(client, bucket, key, checksum=checksum)
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status in {400, 409, 412}:
            return True
        raise
    return False


async def _put(client: "S3Client", bucket: str, key: str, *, checksum: str | None = None) -> None:
    await client.put_object(
        Bucket=bucket,
        Key=key,
        Body=_CONTENT,
        ChecksumSHA256=checksum or _checksum(_CONTENT),
        IfNoneMatch="*",
    )


def _checksum(content: bytes) -> str:
    return to_base64(hashlib.sha256(content).hexdigest())
