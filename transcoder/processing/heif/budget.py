"""The budget of a HEIC or AVIF: the memory and the CPU that its decoder takes, by its header."""

from typing import Final

import pillow_heif

from domain.formats import ContentType
from domain.recipes import MEGAPIXEL
from transcoder.processing.failure import failure_of
from transcoder.processing.heif.extent import Extent, extent_of
from transcoder.processing.heif.header import is_deep, open_heif
from transcoder.processing.heif.libheif import HeifError

# What libheif and its codecs hold at once, by chroma: with 8 bits, and with more. libaom, which
# decodes AVIF, holds several whole frames.
_HEVC_BYTES: Final = {"monochrome": (4.0, 7.0), "420": (4.0, 7.0), "422": (8.0, 14.0)}
_MOST_HEVC_BYTES: Final = (8.5, 15.0)
_AV1_BYTES: Final = {"monochrome": (13.0, 17.0), "420": (13.0, 17.0)}
_MOST_AV1_BYTES: Final = (16.0, 22.5)
_ALPHA_BYTES: Final = (3.0, 6.0)
# The CPU seconds for each megapixel, likewise.
_HEVC_SECONDS: Final = {"monochrome": (0.024, 0.04), "420": (0.024, 0.04)}
_MOST_HEVC_SECONDS: Final = (0.036, 0.07)
_AV1_SECONDS: Final = {"monochrome": (0.03, 0.07), "420": (0.03, 0.07)}
_MOST_AV1_SECONDS: Final = (0.04, 0.09)
_ALPHA_SECONDS: Final = (0.02, 0.04)


def heif_bytes(content: bytes, content_type: ContentType) -> int:
    """The memory that decoding a file takes.

    Raises:
        CorruptImage: the header is invalid.
    """
    primary = open_heif(content)
    deep, chroma = is_deep(primary), _chroma(primary)
    if content_type == "image/avif":
        per_pixel = _AV1_BYTES.get(chroma, _MOST_AV1_BYTES)
    else:
        per_pixel = _HEVC_BYTES.get(chroma, _MOST_HEVC_BYTES)
    alpha = _ALPHA_BYTES[deep] if primary.has_alpha else 0
    return round((per_pixel[deep] + alpha) * _extent(content).at_once)


def heif_cpu_seconds(content: bytes, content_type: ContentType) -> float:
    """The CPU time that decoding a file takes, in seconds.

    Raises:
        CorruptImage: the header is invalid.
    """
    primary = open_heif(content)
    deep, chroma = is_deep(primary), _chroma(primary)
    if content_type == "image/avif":
        seconds = _AV1_SECONDS.get(chroma, _MOST_AV1_SECONDS)
    else:
        seconds = _HEVC_SECONDS.get(chroma, _MOST_HEVC_SECONDS)
    alpha = _ALPHA_SECONDS[deep] if primary.has_alpha else 0
    return (seconds[deep] + alpha) * _extent(content).in_all / MEGAPIXEL


def _chroma(primary: pillow_heif.HeifFile) -> str:
    return str(primary.info.get("chroma"))


def _extent(content: bytes) -> Extent:
    try:
        return extent_of(content)
    except HeifError as error:
        raise failure_of(error) from error
