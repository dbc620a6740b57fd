"""The object store: the protocol that the service needs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol, Self
from uuid import UUID

from msgspec import Struct

from domain.post import Post
from transcoder.object_store.parts import Part, PresignedPart

# The metadata of an original that names its owner: its post may be unknown to a restored database.
OWNER_METADATA: Final = "user-id"
OWNER_HEADER: Final = f"x-amz-meta-{OWNER_METADATA}"
IMMUTABLE: Final = "public, max-age=31536000, immutable"
LISTED_AT_ONCE: Final = 1000


class Announced(Struct, frozen=True, kw_only=True):
    """The object that a client announced: it may put these bytes, once. `sha256` is hex.

    The store keeps `user_id` with the object.
    """

    key: str
    user_id: UUID
    content_type: str
    file_size: int
    sha256: str

    @classmethod
    def original_of(cls, post: Post) -> Self:
        """The original that the client of a post announced."""
        return cls(
            key=post.image_key,
            user_id=post.user_id,
            content_type=post.content_type,
            file_size=post.file_size,
            sha256=post.sha256,
        )


class PresignedUpload(Struct, frozen=True, kw_only=True):
    """The URL for a PUT until `expires_at`, and the headers that the PUT must carry."""

    url: str
    headers: dict[str, str]
    expires_at: datetime


class StoredObject(Struct, frozen=True, kw_only=True):
    """An object's size and SHA-256 as the store knows them: hex, or None if it has none.

    Of an object made of parts, it knows instead a checksum of theirs: see `parts.checksum_of`.
    `user_id` is None for all but originals, and for those announced before stores kept it.
    """

    file_size: int
    content_type: str
    user_id: UUID | None
    sha256: str | None
    checksum_of_parts: str | None = None


class ListedObject(Struct, frozen=True, kw_only=True):
    """An object as a listing shows it; `changed_at` is by the store's clock."""

    key: str
    file_size: int
    changed_at: datetime


class NewObject(Struct, frozen=True, kw_only=True):
    """An object to store, with the headers and metadata that its readers get."""

    key: str
    content: bytes
    content_type: str
    sha256: str
    cache_control: str
    metadata: dict[str, str]


class ObjectStore(Protocol):
    """A private bucket. Every method may be called concurrently.

    Every method raises `ObjectStoreUnavailable` if the store fails or does not answer.
    """

    async def presign_upload(self, announced: Announced, *, lifetime: timedelta) -> PresignedUpload:
        """Sign a write-once PUT of exactly the announced bytes."""
        ...

    async def presign_parts(
        self, announced: Announced, parts: Sequence[Part], *, lifetime: timedelta
    ) -> list[PresignedPart]:
        """Sign a PUT of exactly the announced bytes for each part that is not stored yet."""
        ...

    async def complete_parts(self, key: str, parts: Sequence[Part]) -> None:
        """Make an object of the parts, unless there is one or parts are missing; idempotent."""
        ...

    async def abort_parts(self, key: str) -> None:
        """Remove the stored parts of an object that was not completed; idempotent."""
        ...

    async def stat(self, key: str) -> StoredObject | None:
        """Return what is stored under `key`, or None."""
        ...

    async def download(self, announced: Announced) -> bytes:
        """Download the announced bytes and check their hash.

        Raises:
            OriginalMissing: nothing is stored under the key.
            ChecksumMismatch: what is stored is not what was announced.
        """
        ...

    async def read(self, key: str) -> bytes | None:
        """Return the content of an object, or None if it does not exist."""
        ...

    async def put(self, new: NewObject) -> None:
        """Store an object; idempotent."""
        ...

    async def remove(self, key: str) -> None:
        """Remove an object; idempotent."""
        ...

    async def list_page(self, prefix: str, *, after: str = "") -> list[ListedObject]:
        """List up to `LISTED_AT_ONCE` objects under `prefix` with keys after `after`, by key."""
        ...

    async def ping(self) -> None:
        """Return once the bucket answers."""
        ...
