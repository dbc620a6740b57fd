"""Fit: shrink a picture into a box; keep its aspect ratio and never enlarge it."""

from typing import Final, TypeVar

import cv2
import numpy as np
import pyvips
from cykooz_resizer import (
    CropBox,
    FilterType,
    ImageData,
    PixelType,
    ResizeAlg,
    ResizeOptions,
    Resizer,
)

from transcoder.processing.picture import AnyPicture, any_from_libvips, is_grey, to_libvips
from transcoder.rendering import MIB

# Of 8 or 16 bits.
Fitted = TypeVar("Fitted", bound=AnyPicture)

# Close to 1:1, a cubic (four taps) matches Lanczos (six) in a quarter of the time.
NEARLY_THE_SAME: Final = 0.8
# At least a factor of 2 is left for the kernel, as in libvips' own shrink.
HALVE_FROM: Final = 4
# The resizer takes and returns copies. Of a large picture, libvips reads a few rows at a time.
_MOST_COPIED_BYTES: Final = 16 * MIB
# Few enough to stay in the CPU cache, and even.
_ROWS_AT_ONCE: Final = 128
_LANCZOS: Final = ResizeAlg.convolution(FilterType.lanczos3)
# By bytes a sample and whether it is grey.
_PIXEL_TYPES: Final = {
    (1, True): PixelType.U8,
    (1, False): PixelType.U8x3,
    (2, True): PixelType.U16,
    (2, False): PixelType.U16x3,
}
_resizer = Resizer()


def fit(picture: Fitted, *, max_width: int, max_height: int) -> Fitted:
    """Shrink a picture to fit `max_width` × `max_height` pixels; each side is at least 1."""
    height, width = picture.shape[:2]
    size = size_within(width, height, max_width=max_width, max_height=max_height)
    if size == (width, height):
        return picture
    if min(size[0] / width, size[1] / height) > NEARLY_THE_SAME:
        return cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]
    extent = float(width), float(height)
    while min(extent[0] / size[0], extent[1] / size[1]) >= HALVE_FROM:
        picture = _halve(picture)
        extent = extent[0] / 2, extent[1] / 2
    if extent == (width, height) and picture.nbytes > _MOST_COPIED_BYTES:
        return any_from_libvips(resize(to_libvips(picture), size))  # type: ignore[return-value]
    return _resized(picture, extent, size)


def size_within(width: int, height: int, *, max_width: int, max_height: int) -> tuple[int, int]:
    """Width and height in pixels after fitting."""
    scale = min(max_width / width, max_height / height, 1)
    return max(1, round(width * scale)), max(1, round(height * scale))


def resize(image: pyvips.Image, size: tuple[int, int]) -> pyvips.Image:
    """Resize lazily to exactly that width and height, with Lanczos."""
    return image.resize(size[0] / image.width, vscale=size[1] / image.height)


def average(picture: Fitted, size: tuple[int, int]) -> Fitted:
    """Shrink by averaging the pixels that each new one covers."""
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _halve(picture: Fitted) -> Fitted:
    """Average squares of four pixels; at an odd side, the last pixels count twice."""
    height, width = picture.shape[:2]
    half_width = (width + 1) // 2
    halved = np.empty(((height + 1) // 2, half_width, *picture.shape[2:]), picture.dtype)
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = _with_even_sides(picture[top : top + _ROWS_AT_ONCE])
        half_height = len(rows) // 2
        halved[top // 2 :][:half_height] = average(rows, (half_width, half_height))
    return halved  # type: ignore[return-value]


def _with_even_sides(rows: Fitted) -> Fitted:
    """Without the last row or column, all others would be shifted."""
    height, width = rows.shape[:2]
    if width % 2 == height % 2 == 0:
        return rows
    return cv2.copyMakeBorder(rows, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _resized(picture: Fitted, extent: tuple[float, float], size: tuple[int, int]) -> Fitted:
    """Resize what is within an extent, width and height in pixels, with Lanczos."""
    height, width = picture.shape[:2]
    pixel_type = _PIXEL_TYPES[picture.itemsize, is_grey(picture)]
    resized = ImageData(*size, pixel_type)
    options = ResizeOptions(_LANCZOS, crop_box=CropBox(0, 0, *extent))
    _resizer.resize(ImageData(width, height, pixel_type, picture.tobytes()), resized, options)
    shape = (size[1], size[0], *picture.shape[2:])
    return np.frombuffer(resized.get_buffer(), picture.dtype).reshape(shape)  # type: ignore[return-value]
