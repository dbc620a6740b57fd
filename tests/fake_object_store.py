"""A fake object store in memory; the same contract suite holds it and SeaweedFS."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from transcoder.errors import (
    ChecksumMismatch,
    ObjectStoreUnavailable,
    OriginalMissing,
)
from transcoder.object_store.parts import Part, PresignedPart, checksum_of
from transcoder.object_store.protocol import (
    Announced,
    ListedObject,
    NewObject,
    PresignedUpload,
    StoredObject,
)


class FakeObjectStore:
    """Keeps objects in a dictionary; `down` makes every call fail as an outage does."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.content_types: dict[str, str] = {}
        self.owners: dict[str, UUID] = {}
        self.put_with: dict[str, NewObject] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.checksums: dict[str, str] = {}
        self.down = False
        self.failures_to_come = 0
        self.changed_at = datetime.now(UTC)

    def arrive(self, key: str, content: bytes) -> None:
        """What a client's PUT does; `announce` tells whose it is."""
        self.objects.setdefault(key, content)

    def announce(self, announced: Announced) -> None:
        """What the signed headers of a PUT make the store keep."""
        self.content_types[announced.key] = announced.content_type
        self.owners[announced.key] = announced.user_id

    def arrive_part(self, key: str, number: int, content: bytes) -> None:
        """What a client's PUT of a part does."""
        self.parts[key][number] = content

    async def presign_parts(
        self,
        announced: Announced,
        parts: Sequence[Part],
        *,
        lifetime: timedelta,  # noqa: ARG002 - nothing expires here
    ) -> list[PresignedPart]:
        self._answer("presign_parts", announced.key)
        self.announce(announced)
        stored = self.parts.setdefault(announced.key, {})
        return [
            PresignedPart(
                part=part,
                url=None
                if part.number in stored
                else f"https://fake.example/{announced.key}?partNumber={part.number}",
                headers={"x-amz-checksum-sha256": part.sha256},
            )
            for part in parts
        ]

    async def complete_parts(self, key: str, parts: Sequence[Part]) -> None:
        self._answer("complete_parts", key)
        stored = self.parts.get(key, {})
        found = [stored.get(part.number, b"") for part in parts]
        sha256s = [hashlib.sha256(content).hexdigest() for content in found]
        if key not in self.objects and sha256s == [part.sha256 for part in parts]:
            self.objects[key] = b"".join(found)
            self.checksums[key] = checksum_of(parts)
            del self.parts[key]

    async def abort_parts(self, key: str) -> None:
        self._answer("abort_parts", key)
        self.parts.pop(key, None)

    async def presign_upload(self, announced: Announced, *, lifetime: timedelta) -> PresignedUpload:
        self._answer("presign_upload", announced.key)
        self.announce(announced)
        return PresignedUpload(
            url=f"https://fake.example/{announced.key}",
            headers={"content-type": announced.content_type},
            expires_at=datetime.now(UTC) + lifetime,
        )

    async def stat(self, key: str) -> StoredObject | None:
        self._answer("stat", key)
        content = self.objects.get(key)
        if content is None:
            return None
        checksum = self.checksums.get(key)
        sha256 = None if checksum else hashlib.sha256(content).hexdigest()
        return StoredObject(
            file_size=len(content),
            content_type=self.content_types.get(key, "image/jpeg"),
            user_id=self.owners.get(key),
            sha256=sha256,
            checksum_of_parts=checksum,
        )

    async def download(self, announced: Announced) -> bytes:
        self._answer("download", announced.key)
        content = self.objects.get(announced.key)
        if content is None:
            raise OriginalMissing(key=announced.key)
        actual = hashlib.sha256(content).hexdigest()
        if actual != announced.sha256:
            raise ChecksumMismatch(expected=announced.sha256, actual=actual)
        return content

    async def read(self, key: str) -> bytes | None:
        self._answer("read", key)
        return self.objects.get(key)

    async def put(self, new: NewObject) -> None:
        self._answer("put", new.key)
        self.objects[new.key] = new.content
        self.put_with[new.key] = new

    async def remove(self, key: str) -> None:
        self._answer("remove", key)
        self.objects.pop(key, None)

    async def list_page(self, prefix: str, *, after: str = "") -> list[ListedObject]:
        self._answer("list", prefix)
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        return [
            ListedObject(key=key, file_size=len(self.objects[key]), changed_at=self.changed_at)
            for key in keys[:2]
        ]

    async def ping(self) -> None:
        self._answer("ping", "")

    def _answer(self, operation: str, key: str) -> None:
        if self.failures_to_come:
            self.failures_to_come -= 1
            raise ObjectStoreUnavailable(operation=operation, key=key)
        if self.down:
            raise ObjectStoreUnavailable(operation=operation, key=key)
