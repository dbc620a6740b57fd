"""Originals: whether what a client announced is in the object store, whole or as parts."""

from collections.abc import Sequence

from api.http.errors import InvalidBody, InvalidField, NotUploaded
from api.http.resources import Resources
from domain.post import Post
from transcoder.object_store.parts import PART_BYTES, Part, checksum_of, count_parts, split
from transcoder.object_store.protocol import StoredObject


def parts_of(post: Post, part_sha256: Sequence[str]) -> list[Part]:
    """Describe the parts of a post's original, whose hashes the client sent.

    Raises:
        InvalidBody: the original has another number of parts.
    """
    count = count_parts(post.file_size)
    if len(part_sha256) != count:
        detail = (
            f"{post.file_size} bytes are {count} parts of {PART_BYTES} bytes, the last one of the "
            f"rest: send {count} hashes, not {len(part_sha256)}."
        )
        raise InvalidBody([InvalidField(pointer="#/part_sha256", detail=detail)])
    return split(post.file_size, part_sha256)


async def check_stored(
    resources: Resources, post: Post, *, part_sha256: Sequence[str] | None
) -> None:
    """Check that the original is stored; complete it if it was sent as parts.

    Raises:
        InvalidBody: it has another number of parts.
        NotUploaded: it is not stored, or is not what was announced.
        ObjectStoreUnavailable: the object store does not answer.
    """
    parts = None if part_sha256 is None else parts_of(post, part_sha256)
    stored = await resources.store.stat(post.image_key)
    if stored is None and parts is not None:
        await resources.store.complete_parts(post.image_key, parts)
        stored = await resources.store.stat(post.image_key)
    if stored is None or not _is_announced(stored, post, parts):
        raise NotUploaded(file_size=post.file_size, sha256=post.sha256)


def _is_announced(stored: StoredObject, post: Post, parts: Sequence[Part] | None) -> bool:
    if stored.file_size != post.file_size:
        return False
    if stored.checksum_of_parts is not None:
        # No store knows the hash of the whole: the worker compares it.
        return parts is not None and stored.checksum_of_parts == checksum_of(parts)
    return stored.sha256 == post.sha256
