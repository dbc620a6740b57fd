"""Pictures: decoded pixels as NumPy arrays, and the way to libvips and back without a copy.

Colours are in the order of OpenCV, which encodes them: blue, green, red. libvips takes them for
red, green, blue, which is all the same to a resize; whoever cares calls `reversed_channels`.
"""

from typing import Final, TypeAlias

import cv2
import numpy as np
import pyvips
from numpy.typing import NDArray

# Height × width × 3 of blue, green and red, or height × width of grey; 8 bits each.
Picture: TypeAlias = NDArray[np.uint8]

GREY_DIMENSIONS: Final = 2
_ROWS_AT_ONCE: Final = 64


def is_grey(picture: Picture) -> bool:
    """Whether it has lightness alone."""
    return picture.ndim == GREY_DIMENSIONS


def reversed_channels(picture: Picture) -> Picture:
    """Red, green, blue from blue, green, red, and the other way round."""
    return (
        picture
        if is_grey(picture)
        else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
    )


def reverse_channels(picture: Picture) -> Picture:
    """The same in place, some rows after the other: a large picture leaves no room for a copy."""
    if not is_grey(picture):
        for start in range(0, len(picture), _ROWS_AT_ONCE):
            rows = picture[start : start + _ROWS_AT_ONCE]
            rows[:] = cv2.cvtColor(rows, cv2.COLOR_BGR2RGB)
    return picture


def in_place(picture: Picture) -> Picture:
    """Where to put the converted pixels: the picture itself, since two large ones do not fit."""
    return picture if picture.flags.writeable else np.empty_like(picture)


def to_libvips(picture: Picture) -> pyvips.Image:
    """The same pixels, shared, as libvips sees them."""
    image = pyvips.Image.new_from_array(picture)
    return image.copy(interpretation="b-w" if is_grey(picture) else "srgb")


def from_libvips(image: pyvips.Image) -> Picture:
    """The pixels that a chain of libvips operations leads to, worked out now.

    Args:
        image: one or three bands of 8 bits.

    Raises:
        pyvips.Error: an operation of the chain fails, or memory runs out.
    """
    shape = (image.height, image.width, *([image.bands] if image.bands > 1 else []))
    return np.frombuffer(image.write_to_memory(), np.uint8).reshape(shape)
