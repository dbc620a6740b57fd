"""Metadata: list the kinds that an original has; none of it reaches a variant."""

from collections.abc import Iterator
from typing import Final

import pyvips

from domain.variants import MetadataKind

_JPEG: Final = b"\xff\xd8"
_COMMENT, _PIXELS = 0xFE, 0xDA
# Prefixes of the fields in which libvips keeps metadata.
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
    """The kinds of metadata in the file, in alphabetical order."""
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
    """The markers of a JPEG before its pixels, because libvips skips comments; else none."""
    at = 2
    while content[:2] == _JPEG and content[at : at + 1] == b"\xff" and at + 4 <= len(content):
        marker = content[at + 1]
        if marker == _PIXELS:
            return
        yield marker
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
