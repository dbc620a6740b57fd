"""JPEG: decoded by libjpeg-turbo's own API, in half the time that libvips takes, and encoded."""

from typing import Final

import cv2
import pyvips
import simplejpeg

from domain.recipes import MEGAPIXEL
from transcoder.errors import CorruptImage
from transcoder.processing.picture import Picture

_GREY, _COLOUR = 1, 3
_CHROMA_420: Final = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
# What libjpeg says when pixels are missing; it would paint them grey.
_PIXELS_MISSING: Final = "premature end"
# Scaling by eighths while decoding costs something, too: less than a resize from here on.
_SHRINK_FROM: Final = 4 / 3
# Of a picture in several passes, all coefficients are kept besides all pixels. libvips takes the
# pixels row by row, which is slower, and needs less memory where that becomes scarce.
_MOST_PROGRESSIVE_PIXELS: Final = 30 * MEGAPIXEL


def decode_jpeg(content: bytes, header: pyvips.Image, *, box: int) -> Picture | None:
    """The pixels, or None where libvips has to look at them.

    It has to for CMYK and unusual subsampling, for the largest progressive ones, and after any
    warning, for many good photos of careless cameras have a few bytes too many.

    Args:
        content: the file.
        header: the same file as libvips has opened it.
        box: in pixels; what is much larger is made smaller while it is decoded, not below this.

    Raises:
        CorruptImage: the file ends before its pixels do.
    """
    if header.bands not in {_GREY, _COLOUR}:
        return None
    longer = max(header.width, header.height)
    shrink = longer >= _SHRINK_FROM * box
    if not shrink and _keeps_too_much(header):
        return None
    try:
        decoded: Picture = simplejpeg.decode_jpeg(
            content,
            colorspace="BGR" if header.bands == _COLOUR else "GRAY",
            min_width=header.width * box // longer if shrink else 0,
            min_height=header.height * box // longer if shrink else 0,
            min_factor=_SHRINK_FROM if shrink else 1,
        )
    except ValueError as error:
        if _PIXELS_MISSING in str(error).lower():
            raise CorruptImage(reason=str(error)) from error
        return None
    return decoded if header.bands == _COLOUR else decoded[:, :, 0]


def _keeps_too_much(header: pyvips.Image) -> bool:
    progressive: int = header.get_typeof("interlaced")
    return bool(progressive) and header.width * header.height > _MOST_PROGRESSIVE_PIXELS


def encode_jpeg(picture: Picture, quality: int) -> bytes:
    """A baseline JPEG with 4:2:0 chroma, and nothing in it but pixels.

    By OpenCV: simplejpeg cannot be told to transform accurately, which costs visible quality, and
    libvips takes its time over small pictures.
    """
    _, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality, *_CHROMA_420])
    return content.tobytes()
