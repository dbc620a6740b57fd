"""Accepted image formats: what clients may announce, and how the bytes prove it.

This is the one list: `upload/init` validates against it, `GET /capabilities` shows it, and the
image transcoder has a loader for each entry and for nothing else.
"""

from typing import Final, Literal, TypeAlias, get_args

ContentType: TypeAlias = Literal["image/jpeg", "image/png", "image/webp"]

ACCEPTED_CONTENT_TYPES: Final[tuple[ContentType, ...]] = get_args(ContentType)

# Enough leading bytes to recognise every accepted format.
SNIFF_BYTES: Final = 16


def sniff(head: bytes) -> ContentType | None:
    """Name the accepted format that a file starting with `head` is in, or None.

    Args:
        head: the file's first `SNIFF_BYTES` bytes; fewer never match.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return None
