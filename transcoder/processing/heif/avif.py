"""AVIF: find the damage that libvips does not refuse, which is that of tiles."""

from typing import Final

import cv2
import numpy as np

from transcoder.errors import CorruptImage
from transcoder.processing.failure import failure_of
from transcoder.processing.heif.items import AV1, coded_pictures
from transcoder.processing.heif.libheif import HeifError
from transcoder.processing.picture import AnyPicture, is_grey, levels_of
from transcoder.processing.zeros import check_zeros

_GRID: Final = b"grid"
_LEVELS: Final = 256
_SMALLEST_TILE, _LATTICE = 64, 16
# What zeros in luma and chroma become by BT.601, 709 and 2020, in full and limited range.
_EMPTY_GREENS: Final = (76, 77, 78, 83, 84, 85, 88, 89, 90, 93, 94, 95, 134, 135, 136)


def check_coded(content: bytes, pixels: int) -> None:
    """Check that an AVIF has the data of all its tiles, because libvips goes on without.

    Raises:
        CorruptImage: data is missing, or has more zeros in a row than it can need.
    """
    try:
        for coded in coded_pictures(content, AV1):
            check_zeros(coded, pixels)
    except HeifError as error:
        raise failure_of(error) from error


def check_tiles(content: bytes, picture: AnyPicture) -> None:
    """Check that libvips could decode all tiles of an AVIF: it paints others in one green.

    Raises:
        CorruptImage: an area as large as a tile has that green.
    """
    if _GRID not in content or is_grey(picture):
        return
    blue, green, red = np.moveaxis(picture[::_LATTICE, ::_LATTICE], -1, 0)
    greens = np.rint(green * (_LEVELS / levels_of(picture)))
    empty = (blue == 0) & (red == 0) & np.isin(greens, _EMPTY_GREENS)
    tile = np.ones((_SMALLEST_TILE // _LATTICE,) * 2, np.uint8)
    if cv2.erode(empty.astype(np.uint8), tile, borderValue=0).any():
        raise CorruptImage(reason="some tiles could not be decoded")
