"""JPEG: decoded by libjpeg-turbo's own API, in half the time that libvips takes, and encoded."""

from typing import Final

import cv2
import pyvips
import simplejpeg

from domain.recipes import MEGAPIXEL
from transcoder.errors import CorruptImage
from transcoder.processing.picture import Picture

_GREY, _COLOUR = 1, 3
_COEFFICIENT_BYTES: Final = 2
# Of a pixel, by subsampling.
_CHROMA_SHARE: Final = {"422": 0.5, "440": 0.5, "420": 0.25, "411": 0.25}
_CHROMA_420: Final = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
# What libjpeg says when pixels are missing; it would paint them grey.
_PIXELS_MISSING: Final = "premature end"
# libjpeg scales by eighths while it decodes. That costs something, too: from six on, more than a
# resize does.
_WHOLE, _MOST_EIGHTHS = 8, 6
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
    eighths = _eighths(header.width, header.height, box)
    if eighths == _WHOLE and _keeps_too_much(header):
        return None
    try:
        decoded: Picture = simplejpeg.decode_jpeg(
            content,
            colorspace="BGR" if header.bands == _COLOUR else "GRAY",
            min_width=header.width * eighths // _WHOLE,
            min_height=header.height * eighths // _WHOLE,
            min_factor=_WHOLE / eighths,
        )
    except ValueError as error:
        if _PIXELS_MISSING in str(error).lower():
            raise CorruptImage(reason=str(error)) from error
        return None
    return decoded if header.bands == _COLOUR else decoded[:, :, 0]


def jpeg_bytes_per_pixel(content: bytes, header: pyvips.Image) -> float:
    """The memory that decoding a file takes for each pixel, by its header.

    Pixels of odd sizes are decoded whole; of several passes, all coefficients are kept besides.
    """
    pixels = 0 if _keeps_too_much(header) else _COLOUR
    if not _in_passes(header):
        return pixels
    return pixels + _COEFFICIENT_BYTES * _samples(content, header.bands)


def _samples(content: bytes, bands: int) -> float:
    """How many there are for each pixel: fewer than bands where two share their colour."""
    try:
        *_, subsampling = simplejpeg.decode_jpeg_header(content)
    except ValueError:
        return bands
    return bands - 2 * (1 - _CHROMA_SHARE.get(subsampling, 1)) if bands > _GREY else bands


def _in_passes(header: pyvips.Image) -> bool:
    return bool(header.get_typeof("interlaced"))


def _eighths(width: int, height: int, box: int) -> int:
    """How much of each side to decode; all where a part of a pixel would be left at the edge."""
    longer = max(width, height)
    for eighths in range(1, _MOST_EIGHTHS + 1):
        if longer * eighths >= _WHOLE * box:
            return eighths if width * eighths % _WHOLE == height * eighths % _WHOLE == 0 else _WHOLE
    return _WHOLE


def _keeps_too_much(header: pyvips.Image) -> bool:
    return _in_passes(header) and header.width * header.height > _MOST_PROGRESSIVE_PIXELS


def encode_jpeg(picture: Picture, quality: int) -> bytes:
    """A baseline JPEG with 4:2:0 chroma, and nothing in it but pixels.

    By OpenCV: simplejpeg cannot be told to transform accurately, which costs visible quality, and
    libvips takes its time over small pictures.
    """
    _, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality, *_CHROMA_420])
    return content.tobytes()
