"""HEIF: decode the photos of iPhones, for which libvips has no codec."""

from typing import Any, Final

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from pillow_heif import options

from domain.formats import ContentType
from transcoder.processing.failure import failure_of
from transcoder.processing.flatten import flatten
from transcoder.processing.picture import Picture, is_grey

_BANDS_WITH_ALPHA: Final = 4
_EIGHT_BITS: Final = 8
_OF_SIXTEEN_BITS: Final = 255 / 65535
# What libheif and its codecs hold at once, by chroma: with 8 bits, and with more. libaom, which
# decodes AVIF, holds several whole frames.
_HEVC_BYTES: Final = {"monochrome": (4.0, 7.0), "420": (4.0, 7.0), "422": (8.0, 14.0)}
_MOST_HEVC_BYTES: Final = (8.5, 15.0)
_AV1_BYTES: Final = {"monochrome": (13.0, 17.0), "420": (13.0, 17.0)}
_MOST_AV1_BYTES: Final = (16.0, 22.5)
_ALPHA_BYTES: Final = (3.0, 6.0)
_ERRORS: Final = (ValueError, EOFError, SyntaxError, RuntimeError, OSError)

# Decode the primary image only.
options.THUMBNAILS = False
options.DEPTH_IMAGES = False
options.AUX_IMAGES = False


def open_heif(content: bytes) -> pillow_heif.HeifFile:
    """Open a file within the limits of libheif; its pixels are decoded on demand.

    Raises:
        CorruptImage: the header is invalid.
        TooComplex: it has more parts than libheif accepts.
    """
    try:
        return pillow_heif.open_heif(content, bgr_mode=True)
    except _ERRORS as error:
        raise failure_of(error) from error


def heif_bytes_per_pixel(content: bytes, content_type: ContentType) -> float:
    """The memory that decoding a file takes for each pixel, by its header.

    Raises:
        CorruptImage: the header is invalid.
    """
    primary = open_heif(content)
    chroma = str(primary.info.get("chroma"))
    is_deep = primary.info.get("bit_depth", _EIGHT_BITS) > _EIGHT_BITS
    if content_type == "image/avif":
        per_pixel = _AV1_BYTES.get(chroma, _MOST_AV1_BYTES)
    else:
        per_pixel = _HEVC_BYTES.get(chroma, _MOST_HEVC_BYTES)
    return per_pixel[is_deep] + (_ALPHA_BYTES[is_deep] if primary.has_alpha else 0)


def decode_heif(content: bytes) -> Picture:
    """Decode the primary image to 8 bits a sample, upright by the file's transformations.

    Raises:
        CorruptImage: the pixel data is damaged.
        OutOfMemory: memory ran out.
    """
    file = open_heif(content)
    try:
        picture = np.asarray(file)
    except _ERRORS as error:
        raise failure_of(error) from error
    if is_grey(picture):
        return _to_eight_bits(picture)
    if picture.shape[-1] == _BANDS_WITH_ALPHA:
        return flatten(picture, to_bgr=cv2.COLOR_BGRA2BGR)
    return picture


def _to_eight_bits(picture: NDArray[Any]) -> Picture:
    """Convert deep grey samples, which pillow-heif hands over with 16 bits even if asked for 8."""
    if picture.dtype == np.uint8:
        return picture
    return np.asarray(cv2.convertScaleAbs(picture, alpha=_OF_SIXTEEN_BITS), np.uint8)
