"""HEIF: photos of iPhones, whose codec libvips lacks."""

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
# What libheif and its codecs keep at once, by chroma: 8 bits, and more than 8. libaom, which
# decodes AVIF, keeps several whole frames.
_HEVC_BYTES: Final = {"monochrome": (4.0, 7.0), "420": (4.0, 7.0), "422": (8.0, 14.0)}
_MOST_HEVC_BYTES: Final = (8.5, 15.0)
_AV1_BYTES: Final = {"monochrome": (13.0, 17.0), "420": (13.0, 17.0)}
_MOST_AV1_BYTES: Final = (16.0, 22.5)
_ALPHA_BYTES: Final = (3.0, 6.0)
_TROUBLE: Final = (ValueError, EOFError, SyntaxError, RuntimeError, OSError)

# The photo itself, and nothing else that is in the file.
options.THUMBNAILS = False
options.DEPTH_IMAGES = False
options.AUX_IMAGES = False


def heif_bytes_per_pixel(content: bytes, content_type: ContentType) -> float:
    """The memory that decoding a file takes for each pixel, by its header.

    Raises:
        CorruptImage: the header makes no sense.
    """
    try:
        primary = pillow_heif.open_heif(content)
    except _TROUBLE as error:
        raise failure_of(error) from error
    chroma = str(primary.info.get("chroma"))
    is_deep = primary.info.get("bit_depth", _EIGHT_BITS) > _EIGHT_BITS
    if content_type == "image/avif":
        per_pixel = _AV1_BYTES.get(chroma, _MOST_AV1_BYTES)
    else:
        per_pixel = _HEVC_BYTES.get(chroma, _MOST_HEVC_BYTES)
    return per_pixel[is_deep] + (_ALPHA_BYTES[is_deep] if primary.has_alpha else 0)


def decode_heif(content: bytes) -> Picture:
    """The pixels of the primary image, turned upright as the file says, 8 bits each.

    Raises:
        CorruptImage: the pixel data is damaged.
        OutOfMemory: there is not enough of it.
    """
    try:
        picture = np.asarray(pillow_heif.open_heif(content, bgr_mode=True))
    except _TROUBLE as error:
        raise failure_of(error) from error
    if picture.shape[-1] == _BANDS_WITH_ALPHA:
        return flatten(picture, to_bgr=cv2.COLOR_BGRA2BGR)
    return picture
