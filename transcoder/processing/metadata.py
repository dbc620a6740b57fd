"""Metadata: which kinds of it an original carries, none of which reaches a variant."""

from collections.abc import Iterator
from typing import Final

import pyvips

from domain.variants import MetadataKind

_JPEG: Final = b"\xff\xd8"
_COMMENT, _PIXELS = 0xFE, 0xDA
# How the fields begin in which libvips keeps what it found.
_FIELDS: Final[dict[MetadataKind, tuple[str, ...]]] = {
    "comment": ("png-comment-",),
    "exif": ("exif-data",),
    "gps": ("exif-ifd3-",),
    "icc": ("icc-profile-data",),
    "iptc": ("iptc-data",),
    "thumbnail": ("jpeg-thumbnail-data",),
    "xmp": ("xmp-data",),
}


def metadata_kinds(content: bytes, header: pyvips.Image) -> tuple[MetadataKind, ...]:
    """What the file tells about its photo besides the pixels, in alphabetical order."""
    fields = header.get_fields()
    found: set[MetadataKind] = {
        kind
        for kind, prefixes in _FIELDS.items()
        if any(field.startswith(prefixes) for field in fields)
    }
    if _COMMENT in _jpeg_markers(content):
        found.add("comment")
    return tuple(sorted(found))


def _jpeg_markers(content: bytes) -> Iterator[int]:
    """The markers of a JPEG before its pixels, for libvips passes over comments; else none."""
    at = 2
    while content[:2] == _JPEG and content[at : at + 1] == b"\xff" and at + 4 <= len(content):
        marker = content[at + 1]
        if marker == _PIXELS:
            return
        yield marker
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
