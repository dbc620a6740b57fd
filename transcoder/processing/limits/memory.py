"""Memory: the most that the process of a picture needs, by its header; measured for each type."""

from typing import Final

import pyvips

from domain.formats import ContentType
from transcoder.processing.heif.budget import heif_bytes
from transcoder.processing.jpeg.codec import jpeg_bytes_per_pixel
from transcoder.rendering import MIB

# All figures come from `just bench-memory`. Without the decoder, a process needs memory for the
# libraries, the largest variant and caches of rows.
_PROCESS_BYTES: Final = 180 * MIB
# libwebp scales row by row. Unscaled, it holds several copies of the picture.
_SCALED_WEBP_BYTES, _WHOLE_WEBP_BYTES = 4, 16


def memory_needed(content: bytes, content_type: ContentType, header: pyvips.Image, box: int) -> int:
    """Bytes that the process needs at most to render the picture into a square of `box` pixels.

    Raises:
        CorruptImage: the header is invalid to its decoder.
    """
    return _PROCESS_BYTES + len(content) + _decoder_bytes(content, content_type, header, box)


def _decoder_bytes(
    content: bytes, content_type: ContentType, header: pyvips.Image, box: int
) -> int:
    """What the decoder holds of the whole picture at once."""
    match content_type:
        case "image/jpeg":
            per_pixel = jpeg_bytes_per_pixel(content, header, box)
        case "image/png":
            per_sample = 1 if header.format == "uchar" else 2
            per_pixel = header.bands * per_sample if header.get_typeof("interlaced") else 0
        case "image/webp":
            is_scaled = max(header.width, header.height) > box
            per_pixel = _SCALED_WEBP_BYTES if is_scaled else _WHOLE_WEBP_BYTES
        case "image/avif" | "image/heic" | "image/heif":
            return heif_bytes(content, content_type)
    pixels: int = header.width * header.height
    return round(per_pixel * pixels)
