"""PNG chunks: find the intact ones that libvips does not read."""

import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Final

_SIGNATURE_BYTES: Final = 8
# A hostile file could have millions.
_MOST_CHUNKS: Final = 10_000
# Compressed pixels may contain the name of a chunk by chance, and checksums take time.
_MOST_CANDIDATES: Final = 16
_MOST_BYTES: Final = 1 << 20


def chunks_before_pixels(content: bytes, names: frozenset[bytes]) -> dict[bytes, bytes]:
    """The bodies of the first chunks with these names."""
    found: dict[bytes, bytes] = {}
    at = _SIGNATURE_BYTES + 4
    for _ in range(_MOST_CHUNKS):
        name = content[at : at + 4]
        if name in {b"IDAT", b""}:
            break
        if name in names and name not in found and (body := _body(content, at)) is not None:
            found[name] = body
        at += _length(content, at) + 12
    return found


def chunk_anywhere(content: bytes, name: bytes) -> bytes | None:
    """The body of the first chunk with that name, before or after the pixels."""
    candidates = islice(_positions(content, name), _MOST_CANDIDATES)
    return next((body for at in candidates if (body := _body(content, at)) is not None), None)


def _positions(content: bytes, name: bytes) -> Iterator[int]:
    at = content.find(name)
    while at >= 0:
        yield at
        at = content.find(name, at + 1)


def _body(content: bytes, at: int) -> bytes | None:
    """The body of the chunk whose name is there, if its checksum is right."""
    length = _length(content, at)
    end = at + 4 + length
    checksum = int.from_bytes(content[end : end + 4], "big")
    is_intact = length <= _MOST_BYTES and zlib.crc32(content[at:end]) == checksum
    return content[at + 4 : end] if is_intact else None


def _length(content: bytes, at: int) -> int:
    return int.from_bytes(content[at - 4 : at], "big")
