"""Pictures: decoded pixels as NumPy arrays, shared with libvips without a copy.

Channels are in OpenCV's order: blue, green, red. libvips takes them for red, green, blue, which
does not matter to a resize; where it does, use `swap_channels`.
"""

from typing import Final, TypeAlias, TypeVar

import cv2
import numpy as np
import pyvips
from numpy.typing import NDArray

# Height × width × 3 of blue, green and red, or height × width of grey; 8 bits each.
Picture: TypeAlias = NDArray[np.uint8]
# The same with 16 bits, for a picture whose colours are yet to be converted.
DeepPicture: TypeAlias = NDArray[np.uint16]
AnyPicture: TypeAlias = Picture | DeepPicture
_Array = TypeVar("_Array", bound=AnyPicture)

GREY_DIMENSIONS: Final = 2
_ROWS_AT_ONCE: Final = 64
# libvips' names, by bytes a sample and whether it is grey.
_INTERPRETATIONS: Final = {
    (1, True): "b-w",
    (1, False): "srgb",
    (2, True): "grey16",
    (2, False): "rgb16",
}


def is_grey(picture: AnyPicture) -> bool:
    """Whether it has one channel."""
    return picture.ndim == GREY_DIMENSIONS


def levels_of(picture: AnyPicture) -> int:
    """How many levels a sample can have: 256 or 65,536."""
    return 1 << (8 * picture.itemsize)


def swap_channels(picture: Picture) -> Picture:
    """Swap red and blue in a copy."""
    return (
        picture
        if is_grey(picture)
        else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
    )


def swap_channels_in_place(picture: _Array) -> _Array:
    """Swap red and blue in place, a few rows at a time; memory may not suffice for a copy."""
    if not is_grey(picture):
        for start in range(0, len(picture), _ROWS_AT_ONCE):
            rows = picture[start : start + _ROWS_AT_ONCE]
            rows[:] = cv2.cvtColor(rows, cv2.COLOR_BGR2RGB)
    return picture


def room_for_8_bits(picture: AnyPicture) -> Picture:
    """The array for converted pixels: the picture, if it can hold them, to save a copy."""
    if picture.flags.writeable and picture.dtype == np.uint8:
        return picture  # type: ignore[return-value]
    return np.empty(picture.shape, np.uint8)


def to_libvips(picture: AnyPicture) -> pyvips.Image:
    """The same pixels as a libvips image, shared."""
    image = pyvips.Image.new_from_array(picture)
    return image.copy(interpretation=_INTERPRETATIONS[picture.itemsize, is_grey(picture)])


def from_libvips(image: pyvips.Image) -> Picture:
    """Compute the pixels of a lazy libvips image.

    Args:
        image: one or three bands of 8 bits.

    Raises:
        pyvips.Error: an operation of the chain fails, or memory runs out.
    """
    return np.frombuffer(image.write_to_memory(), np.uint8).reshape(_shape(image))


def any_from_libvips(image: pyvips.Image) -> AnyPicture:
    """The same for bands of 8 or 16 bits."""
    if image.format == "uchar":
        return from_libvips(image)
    return np.frombuffer(image.write_to_memory(), np.uint16).reshape(_shape(image))


def _shape(image: pyvips.Image) -> tuple[int, ...]:
    return (image.height, image.width, *([image.bands] if image.bands > 1 else []))
