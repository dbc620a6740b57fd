"""Parts: a large original in pieces of one size, each bound to its SHA-256.

The pieces of an original follow from its size; only their hashes come from the client.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from transcoder.object_store.checksums import to_base64

# S3 takes no part below 5 MiB, the last one excepted.
PART_BYTES: Final = 8_000_000


class Part(Struct, frozen=True, kw_only=True):
    """One piece: its number from 1, where it starts and its size in bytes, its SHA-256 in hex."""

    number: int
    offset: int
    file_size: int
    sha256: str


class PresignedPart(Struct, frozen=True, kw_only=True):
    """The URL for a PUT of one part and the headers of it; no URL if the part is stored."""

    part: Part
    url: str | None
    headers: dict[str, str]


def count_parts(file_size: int) -> int:
    """How many parts an original of this size has."""
    return -(-file_size // PART_BYTES)


def split(file_size: int, sha256s: Sequence[str]) -> list[Part]:
    """Describe the parts of an original whose parts have these hashes.

    Raises:
        ValueError: an original of this size has another number of parts.
    """
    if len(sha256s) != count_parts(file_size):
        message = f"{file_size} bytes are {count_parts(file_size)} parts, not {len(sha256s)}"
        raise ValueError(message)
    return [
        Part(
            number=number,
            offset=offset,
            file_size=min(PART_BYTES, file_size - offset),
            sha256=sha256,
        )
        for number, (offset, sha256) in enumerate(
            zip(range(0, file_size, PART_BYTES), sha256s, strict=True), start=1
        )
    ]


def checksum_of(parts: Sequence[Part]) -> str:
    """The checksum that a store shows for an object of these parts: base64, and their number."""
    digests = b"".join(bytes.fromhex(part.sha256) for part in parts)
    return f"{to_base64(hashlib.sha256(digests).hexdigest())}-{len(parts)}"
