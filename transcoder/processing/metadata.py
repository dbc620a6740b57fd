"""Metadata: which kinds of it an original carries, none of which reaches a variant."""

from typing import Final

import pyvips

from domain.events import MetadataKind

# How the fields begin in which libvips keeps what it found.
_FIELDS: Final[dict[MetadataKind, tuple[str, ...]]] = {
    "comment": ("png-comment-", "jpeg-comment", "heif-comment"),
    "exif": ("exif-data",),
    "gps": ("exif-ifd3-",),
    "icc": ("icc-profile-data",),
    "iptc": ("iptc-data",),
    "thumbnail": ("jpeg-thumbnail-data",),
    "xmp": ("xmp-data",),
}


def metadata_kinds(header: pyvips.Image) -> tuple[MetadataKind, ...]:
    """What the file tells about its photo besides the pixels, in alphabetical order."""
    fields = header.get_fields()
    return tuple(
        kind
        for kind, prefixes in _FIELDS.items()
        if any(field.startswith(prefixes) for field in fields)
    )
