"""The object store: what the service needs of one, as a protocol."""

from datetime import datetime, timedelta
from typing import Final, Protocol, Self

from msgspec import Struct

from domain.post import Post

IMMUTABLE: Final = "public, max-age=31536000, immutable"
LISTED_AT_ONCE: Final = 1000


class Announced(Struct, frozen=True, kw_only=True):
    """The object that a client may put, once: these bytes and no others. `sha256` is hex."""

    key: str
    content_type: str
    file_size: int
    sha256: str

    @classmethod
    def original_of(cls, post: Post) -> Self:
        """The original that the client of a post announced."""
        return cls(
            key=post.image_key,
            content_type=post.content_type,
            file_size=post.file_size,
            sha256=post.sha256,
        )


class PresignedUpload(Struct, frozen=True, kw_only=True):
    """Where to PUT until `expires_at`, and the very headers that the PUT must carry."""

    url: str
    headers: dict[str, str]
    expires_at: datetime


class StoredObject(Struct, frozen=True, kw_only=True):
    """What the store says of an object; `sha256` is hex, None when it was stored without one."""

    file_size: int
    sha256: str | None


class ListedObject(Struct, frozen=True, kw_only=True):
    """An object as a listing shows it, with the store's own time of its last change."""

    key: str
    file_size: int
    changed_at: datetime


class NewObject(Struct, frozen=True, kw_only=True):
    """An object to be stored with everything that its readers are told about it."""

    key: str
    content: bytes
    content_type: str
    sha256: str
    cache_control: str
    metadata: dict[str, str]


class ObjectStore(Protocol):
    """A private bucket. Every method may be called concurrently.

    Every method raises `ObjectStoreUnavailable` when the store does not answer as it should.
    """

    async def presign_upload(self, announced: Announced, *, lifetime: timedelta) -> PresignedUpload:
        """Sign a write-once PUT of exactly the announced bytes."""
        ...

    async def stat(self, key: str) -> StoredObject | None:
        """What is stored under `key`, or None."""
        ...

    async def download(self, announced: Announced) -> bytes:
        """The announced bytes, hashed while they arrive.

        Raises:
            OriginalMissing: nothing is stored under the key.
            ChecksumMismatch: what is stored is not what was announced.
        """
        ...

    async def read(self, key: str) -> bytes | None:
        """The content of an object; None if there is no such object."""
        ...

    async def put(self, new: NewObject) -> None:
        """Store an object; storing the same one again changes nothing."""
        ...

    async def remove(self, key: str) -> None:
        """Remove an object; removing what is not there is fine."""
        ...

    async def list_page(self, prefix: str, *, after: str = "") -> list[ListedObject]:
        """The objects under `prefix` whose keys follow `after`, by key, up to `LISTED_AT_ONCE`."""
        ...

    async def prepare(self) -> None:
        """Create the bucket if need be, and set its CORS and lifecycle rules."""
        ...

    async def ping(self) -> None:
        """Return if the bucket answers."""
        ...
