"""The source colour: what the numbers of an original mean, whatever in the file says it."""

from typing import Final

import pyvips

from domain.formats import HEIF_CONTENT_TYPES, ContentType
from transcoder.processing.colour.colour_space import SourceColour
from transcoder.processing.colour.icc import hdr_space, profile_of
from transcoder.processing.heif.nclx import heif_colour
from transcoder.processing.original.exif_colour import exif_colour
from transcoder.processing.png.colour import png_colour

_INKS: Final = "cmyk"


def source_colour(content: bytes, content_type: ContentType, header: pyvips.Image) -> SourceColour:
    """The ICC profile or the colour space of a file; EXIF counts if nothing else says it.

    Raises:
        CorruptImage: the header is invalid to its decoder.
    """
    profile = profile_of(header)
    if header.interpretation == _INKS:
        return profile
    colour = _in_container(content, content_type, profile)
    if isinstance(colour, bytes):
        return hdr_space(colour) or colour
    colour = colour or exif_colour(header)
    return None if colour is None or colour.is_srgb else colour


def _in_container(content: bytes, content_type: ContentType, profile: bytes | None) -> SourceColour:
    if content_type == "image/png":
        return png_colour(content, profile)
    if content_type in HEIF_CONTENT_TYPES:
        return profile or heif_colour(content)
    return profile
