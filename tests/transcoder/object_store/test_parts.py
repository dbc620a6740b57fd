"""Originals in parts: the fake and SeaweedFS pass the same tests; only S3 protects them."""

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from uuid import uuid4

import anyio
import httpx
import pytest

from api.stack.seaweedfs import S3Access
from tests.fake_object_store import FakeObjectStore
from transcoder.errors import ChecksumMismatch
from transcoder.object_store.bucket import prepare_bucket
from transcoder.object_store.checksums import to_base64
from transcoder.object_store.parts import (
    PART_BYTES,
    Part,
    PresignedPart,
    checksum_of,
    count_parts,
    split,
)
from transcoder.object_store.protocol import Announced, NewObject, ObjectStore
from transcoder.object_store.s3 import S3ObjectStore, open_s3
from transcoder.settings import ObjectStoreSettings

pytestmark = pytest.mark.anyio

OWNER = uuid4()
CONTENT = bytes(range(251)) * ((2 * PART_BYTES + 1_000_000) // 251)
LIFETIME = timedelta(minutes=15)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), PART_BYTES):
        yield content[start : start + PART_BYTES]


def parts_of(content: bytes) -> list[Part]:
    return split(len(content), [sha256(piece) for piece in pieces(content)])


def announced(key: str, content: bytes = CONTENT) -> Announced:
    return Announced(
        key=key,
        user_id=OWNER,
        content_type="image/jpeg",
        file_size=len(content),
        sha256=sha256(content),
    )


@pytest.fixture
async def s3(seaweedfs_server: S3Access) -> AsyncIterator[S3ObjectStore]:
    settings = ObjectStoreSettings(
        bucket=f"test-{uuid4().hex[:12]}",
        endpoint_url=seaweedfs_server.endpoint_url,
        access_key_id=seaweedfs_server.access_key_id,
        secret_access_key=seaweedfs_server.secret_access_key,
    )
    await prepare_bucket(settings)
    async with open_s3(settings) as store:
        yield store


@pytest.fixture(params=["fake", "seaweedfs"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    if request.param == "fake":
        return FakeObjectStore()
    found: ObjectStore = request.getfixturevalue("s3")
    return found


async def put(presigned: PresignedPart, content: bytes, **headers: str) -> int:
    """What a client does with a URL; the status."""
    assert presigned.url is not None
    async with httpx.AsyncClient(timeout=30) as client:
        # httpx sends the length of the content.
        sent = {**presigned.headers, "content-length": str(len(content)), **headers}
        answer = await client.put(presigned.url, content=content, headers=sent)
    return answer.status_code


async def send(
    store: ObjectStore, key: str, presigned: Sequence[PresignedPart], content: bytes = CONTENT
) -> None:
    """PUT every part that has a URL."""
    for each, piece in zip(presigned, pieces(content), strict=True):
        if each.url is None:
            continue
        if isinstance(store, FakeObjectStore):
            store.arrive_part(key, each.part.number, piece)
        else:
            assert await put(each, piece) == 200


@pytest.mark.parametrize(
    ("file_size", "sizes"),
    [
        (1, [1]),
        (PART_BYTES, [PART_BYTES]),
        (PART_BYTES + 1, [PART_BYTES, 1]),
        (2 * PART_BYTES, [PART_BYTES, PART_BYTES]),
    ],
)
async def test_parts_cover_the_file_without_gap_or_overlap(
    file_size: int, sizes: list[int]
) -> None:
    assert count_parts(file_size) == len(sizes)
    parts = split(file_size, ["a" * 64] * len(sizes))
    assert [part.file_size for part in parts] == sizes
    assert [part.offset for part in parts] == [sum(sizes[:n]) for n in range(len(sizes))]
    assert [part.number for part in parts] == [*range(1, len(sizes) + 1)]
    with pytest.raises(ValueError, match="parts"):
        split(file_size, ["a" * 64] * (len(sizes) + 1))


async def test_all_parts_become_the_announced_object(store: ObjectStore) -> None:
    key, parts = "uploads/a", parts_of(CONTENT)
    presigned = await store.presign_parts(announced(key), parts, lifetime=LIFETIME)
    assert [each.part for each in presigned] == parts

    await send(store, key, presigned)
    assert await store.stat(key) is None
    assert await store.list_page(key) == []
    await store.complete_parts(key, parts)

    stored = await store.stat(key)
    assert stored is not None
    assert (stored.file_size, stored.sha256) == (len(CONTENT), None)
    assert (stored.content_type, stored.user_id) == ("image/jpeg", OWNER)
    assert stored.checksum_of_parts == checksum_of(parts)
    assert await store.download(announced(key)) == CONTENT
    with pytest.raises(ChecksumMismatch):
        await store.download(announced(key, CONTENT[:-1] + b"?"))
    # Again, as after a lost response.
    await store.complete_parts(key, parts)
    assert await store.stat(key) == stored


async def test_a_part_that_is_stored_is_not_sent_again(store: ObjectStore) -> None:
    key, parts = "uploads/a", parts_of(CONTENT)
    first = await store.presign_parts(announced(key), parts, lifetime=LIFETIME)
    if isinstance(store, FakeObjectStore):
        store.arrive_part(key, 2, [*pieces(CONTENT)][1])
    else:
        assert await put(first[1], [*pieces(CONTENT)][1]) == 200

    again = await store.presign_parts(announced(key), parts, lifetime=LIFETIME)

    assert [each.url is None for each in again] == [False, True, False]
    await send(store, key, again)
    await store.complete_parts(key, parts)
    assert await store.download(announced(key)) == CONTENT


async def test_missing_parts_make_no_object(store: ObjectStore) -> None:
    key, parts = "uploads/a", parts_of(CONTENT)
    await store.complete_parts(key, parts)
    presigned = await store.presign_parts(announced(key), parts, lifetime=LIFETIME)
    await send(store, key, presigned[:2], CONTENT[: 2 * PART_BYTES])
    await store.complete_parts(key, parts)
    assert await store.stat(key) is None


async def test_other_parts_than_those_stored_make_no_object(store: ObjectStore) -> None:
    key, parts = "uploads/a", parts_of(CONTENT)
    await send(store, key, await store.presign_parts(announced(key), parts, lifetime=LIFETIME))
    await store.complete_parts(key, parts_of(CONTENT[::-1]))
    assert await store.stat(key) is None
    await store.complete_parts(key, parts)
    assert await store.stat(key) is not None


async def test_parts_that_are_aborted_are_gone(store: ObjectStore) -> None:
    key, parts = "uploads/a", parts_of(CONTENT)
    await send(store, key, await store.presign_parts(announced(key), parts, lifetime=LIFETIME))
    await store.abort_parts(key)
    await store.abort_parts(key)
    await store.complete_parts(key, parts)
    assert await store.stat(key) is None
    again = await store.presign_parts(announced(key), parts, lifetime=LIFETIME)
    assert all(each.url for each in again)


async def test_an_upload_of_a_longer_key_is_another_upload(s3: S3ObjectStore) -> None:
    parts = parts_of(CONTENT)
    longer = await s3.presign_parts(announced("uploads/a2"), parts, lifetime=LIFETIME)
    await s3.presign_parts(announced("uploads/a"), parts, lifetime=LIFETIME)
    await s3.abort_parts("uploads/a")
    await send(s3, "uploads/a2", longer)
    await s3.complete_parts("uploads/a2", parts)
    assert await s3.download(announced("uploads/a2")) == CONTENT


async def test_a_part_is_exactly_the_announced_bytes(s3: S3ObjectStore) -> None:
    parts = parts_of(CONTENT)
    presigned = (await s3.presign_parts(announced("uploads/a"), parts, lifetime=LIFETIME))[2]
    piece = [*pieces(CONTENT)][2]
    other = piece[:-1] + b"?"
    assert await put(presigned, other) == 400
    assert await put(presigned, piece[:-1]) == 403
    assert await put(presigned, other, **{"x-amz-checksum-sha256": to_base64(sha256(other))}) == 403
    assert await put(presigned, piece) == 200


async def test_once_completed_no_part_and_no_second_completion_changes_the_object(
    s3: S3ObjectStore,
) -> None:
    key, parts = "uploads/a", parts_of(CONTENT)
    presigned = await s3.presign_parts(announced(key), parts, lifetime=LIFETIME)
    await send(s3, key, presigned)
    await s3.complete_parts(key, parts)

    assert await put(presigned[0], next(pieces(CONTENT))) == 404
    other = CONTENT[::-1]
    others = await s3.presign_parts(announced(key, other), parts_of(other), lifetime=LIFETIME)
    await send(s3, key, others, other)
    await s3.complete_parts(key, parts_of(other))
    assert await s3.read(key) == CONTENT


async def test_parts_do_not_replace_an_object_that_came_whole(s3: S3ObjectStore) -> None:
    key, parts = "uploads/a", parts_of(CONTENT)
    presigned = await s3.presign_parts(announced(key), parts, lifetime=LIFETIME)
    await send(s3, key, presigned)
    whole = NewObject(
        key=key,
        content=b"came first",
        content_type="image/jpeg",
        sha256=sha256(b"came first"),
        cache_control="no-store",
        metadata={},
    )
    await s3.put(whole)
    await s3.complete_parts(key, parts)
    assert await s3.read(key) == b"came first"


async def test_of_completions_at_the_same_time_one_makes_the_object(s3: S3ObjectStore) -> None:
    key, parts = "uploads/a", parts_of(CONTENT)
    await send(s3, key, await s3.presign_parts(announced(key), parts, lifetime=LIFETIME))
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(s3.complete_parts, key, parts)
    assert await s3.download(announced(key)) == CONTENT


async def test_uploads_opened_at_the_same_time_are_one(s3: S3ObjectStore) -> None:
    key, parts = "uploads/a", parts_of(CONTENT)
    opened: list[list[PresignedPart]] = []

    async def presign() -> None:
        opened.append(await s3.presign_parts(announced(key), parts, lifetime=LIFETIME))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(presign)
    # Each part through another of them.
    for number, piece in enumerate(pieces(CONTENT)):
        assert await put(opened[number][number], piece) == 200
    await s3.complete_parts(key, parts)
    assert await s3.download(announced(key)) == CONTENT
