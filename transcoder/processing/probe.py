"""Probe: what the header promises must be within the limits, before any pixel is decoded."""

from typing import Final

import pyvips

from domain.formats import ContentType
from transcoder.errors import SideTooLong, TooManyBands, TooManyPixels, TooMuchMemory
from transcoder.processing.heif import heif_bytes_per_pixel
from transcoder.rendering import Limits

# Measured on the largest pictures; libaom keeps several whole frames.
_WEBP_BYTES: Final = 5
_AVIF_BYTES: Final = 16
# Of a JPEG in several passes all coefficients are kept.
_COEFFICIENT_BYTES: Final = 2


def check_limits(
    content: bytes, content_type: ContentType, header: pyvips.Image, limits: Limits
) -> None:
    """Go on, if the picture is one that we decode.

    Raises:
        SideTooLong, TooManyPixels, TooManyBands, TooMuchMemory: it is not.
        CorruptImage: the header makes no sense to its decoder.
    """
    longer = max(header.width, header.height)
    if longer > limits.max_side:
        raise SideTooLong(side=longer, limit=limits.max_side)
    pixels = header.width * header.height
    if pixels > limits.max_pixels:
        raise TooManyPixels(pixels=pixels, limit=limits.max_pixels)
    if header.bands > limits.max_bands:
        raise TooManyBands(bands=header.bands, limit=limits.max_bands)
    needed = len(content) + round(pixels * _bytes_per_pixel(content, content_type, header))
    if needed > limits.memory_bytes:
        raise TooMuchMemory(needed=needed, limit=limits.memory_bytes)


def _bytes_per_pixel(content: bytes, content_type: ContentType, header: pyvips.Image) -> float:
    """What the decoder keeps of the whole picture at once."""
    interlaced = header.get_typeof("interlaced")
    match content_type:
        case "image/jpeg":
            return header.bands * _COEFFICIENT_BYTES if interlaced else 0
        case "image/png":
            return header.bands * (1 if header.format == "uchar" else 2) if interlaced else 0
        case "image/webp":
            return _WEBP_BYTES
        case "image/avif":
            return _AVIF_BYTES
        case "image/heic" | "image/heif":
            return heif_bytes_per_pixel(content)
