"""Accepted image formats: what clients may announce, and how the bytes prove it.

`upload/init` validates against this list, `GET /capabilities` shows it, and the image transcoder
decodes these formats only.
"""

from typing import Final, Literal, TypeAlias, get_args

ContentType: TypeAlias = Literal[
    "image/jpeg", "image/png", "image/webp", "image/heic", "image/heif", "image/avif"
]

# One container, and one library that opens it: they can be switched off together.
HEIF_CONTENT_TYPES: Final[frozenset[ContentType]] = frozenset(
    {"image/heic", "image/heif", "image/avif"}
)

# Enough leading bytes to recognise every accepted format.
SNIFF_BYTES: Final = 64

_HEIC: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF: Final = frozenset({b"avif", b"avis"})
_ANY_HEIF: Final = frozenset({b"mif1", b"mif2", b"msf1"})


def accepted_content_types(*, heif: bool) -> tuple[ContentType, ...]:
    """The formats clients may announce, with or without those in HEIF containers."""
    return tuple(
        content_type
        for content_type in get_args(ContentType)
        if heif or content_type not in HEIF_CONTENT_TYPES
    )


def sniff(head: bytes) -> ContentType | None:
    """Detect the accepted format of a file by its first bytes; None if it has none.

    Args:
        head: the file's first `SNIFF_BYTES` bytes, or all of a shorter one.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return _sniff_heif(head)
    return None


def is_announced_as(actual: ContentType, announced: ContentType) -> bool:
    """Whether the announced type fits the actual one: every HEIC is also a HEIF."""
    return actual == announced or (actual, announced) == ("image/heic", "image/heif")


def _sniff_heif(head: bytes) -> ContentType | None:
    """By the major brand, or by the compatible brands if the major one is generic."""
    major, length = head[8:12], int.from_bytes(head[:4], "big")
    compatible = {head[at : at + 4] for at in range(16, min(length, len(head)), 4)}
    brands = compatible if major in _ANY_HEIF else {major}
    if brands & _HEIC:
        return "image/heic"
    if brands & _AVIF:
        return "image/avif"
    return "image/heif" if major in _ANY_HEIF else None
