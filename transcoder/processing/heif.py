"""HEIF: decode the photos of iPhones, for which libvips has no codec."""

from typing import Final

import cv2
import numpy as np
import pillow_heif
from pillow_heif import options

from domain.formats import ContentType
from transcoder.processing.failure import failure_of
from transcoder.processing.flatten import flatten
from transcoder.processing.picture import Picture

_BANDS_WITH_ALPHA: Final = 4
_EIGHT_BITS: Final = 8
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


def heif_bytes_per_pixel(content: bytes, content_type: ContentType) -> float:
    """The memory that decoding a file takes for each pixel, by its header.

    Raises:
        CorruptImage: the header is invalid.
    """
    try:
        primary = pillow_heif.open_heif(content)
    except _ERRORS as error:
        raise failure_of(error) from error
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
    try:
        picture = np.asarray(pillow_heif.open_heif(content, bgr_mode=True))
    except _ERRORS as error:
        raise failure_of(error) from error
    if picture.shape[-1] == _BANDS_WITH_ALPHA:
        return flatten(picture, to_bgr=cv2.COLOR_BGRA2BGR)
    return picture
