"""HEIF: photos of iPhones, whose codec libvips lacks."""

from typing import Final

import cv2
import numpy as np
import pillow_heif
from pillow_heif import options

from transcoder.processing.failure import failure_of
from transcoder.processing.flatten import flatten
from transcoder.processing.picture import Picture

_BANDS_WITH_ALPHA: Final = 4
_EIGHT_BITS: Final = 8
# What libheif keeps at once of a picture of 8 bits, measured: the more chroma, the more planes.
_BYTES_PER_PIXEL: Final = {"monochrome": 6.0, "420": 6.0, "422": 7.5, "444": 9.5}
_TROUBLE: Final = (ValueError, EOFError, SyntaxError, RuntimeError, OSError)

# The photo itself, and nothing else that is in the file.
options.THUMBNAILS = False
options.DEPTH_IMAGES = False
options.AUX_IMAGES = False


def heif_bytes_per_pixel(content: bytes) -> float:
    """The memory that decoding a file takes, by its header.

    Raises:
        CorruptImage: the header makes no sense.
    """
    try:
        of_primary = pillow_heif.open_heif(content).info
    except _TROUBLE as error:
        raise failure_of(error) from error
    per_pixel = _BYTES_PER_PIXEL.get(str(of_primary.get("chroma")), max(_BYTES_PER_PIXEL.values()))
    return per_pixel * (2 if of_primary.get("bit_depth", _EIGHT_BITS) > _EIGHT_BITS else 1)


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
