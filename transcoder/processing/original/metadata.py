"""Metadata: list the kinds that an original has; none of it reaches a variant."""

from collections.abc import Iterator
from typing import Final

import pyvips
from pyvips import ffi, glib_lib, vips_lib

from domain.variants import MetadataKind

_JPEG: Final = b"\xff\xd8"
_COMMENT, _PIXELS = 0xFE, 0xDA
# Prefixes of the fields in which libvips keeps metadata.
_FIELDS: Final[dict[MetadataKind, bytes]] = {
    "comment": b"png-comment-",
    "exif": b"exif-data",
    "gps": b"exif-ifd3-",
    "icc": b"icc-profile-data",
    "iptc": b"iptc-data",
    "thumbnail": b"jpeg-thumbnail-data",
    "xmp": b"xmp-data",
}


def metadata_kinds(content: bytes, header: pyvips.Image) -> tuple[MetadataKind, ...]:
    """The kinds of metadata in the file, in alphabetical order."""
    fields = list(_field_names(header))
    found: set[MetadataKind] = {
        kind
        for kind, prefix in _FIELDS.items()
        if any(field.startswith(prefix) for field in fields)
    }
    if _COMMENT in _jpeg_markers(content):
        found.add("comment")
    return tuple(sorted(found))


def _field_names(header: pyvips.Image) -> Iterator[bytes]:
    """The names of all fields, undecoded: pyvips takes them for UTF-8, PNG keywords are Latin-1."""
    names = vips_lib.vips_image_get_fields(header.pointer)
    at = 0
    while names[at] != ffi.NULL:
        yield ffi.string(names[at])
        glib_lib.g_free(names[at])
        at += 1
    glib_lib.g_free(names)


def _jpeg_markers(content: bytes) -> Iterator[int]:
    """The markers of a JPEG before its pixels, because libvips skips comments; else none."""
    at = 2
    while content[:2] == _JPEG and content[at : at + 1] == b"\xff" and at + 4 <= len(content):
        marker = content[at + 1]
        if marker == _PIXELS:
            return
        yield marker
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
