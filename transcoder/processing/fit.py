"""Fit: shrink a picture into a box; keep its aspect ratio and never enlarge it."""

from typing import Final, TypeVar

import cv2
import pyvips

from transcoder.processing.picture import AnyPicture, any_from_libvips, to_libvips

# Of 8 or 16 bits.
Fitted = TypeVar("Fitted", bound=AnyPicture)

# Close to 1:1, a cubic (four taps) matches Lanczos (six) in a quarter of the time.
NEARLY_THE_SAME: Final = 0.8
# At least a factor of 2 is left for the kernel, as in libvips' own shrink.
HALVE_FROM: Final = 4


def fit(picture: Fitted, *, max_width: int, max_height: int) -> Fitted:
    """Shrink a picture to fit `max_width` × `max_height` pixels; each side is at least 1."""
    height, width = picture.shape[:2]
    size = size_within(width, height, max_width=max_width, max_height=max_height)
    if size == (width, height):
        return picture
    if min(size[0] / width, size[1] / height) > NEARLY_THE_SAME:
        return cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]
    while _can_be_halved(picture, size):
        picture = average(picture, (picture.shape[1] // 2, picture.shape[0] // 2))
    return any_from_libvips(resize(to_libvips(picture), size))  # type: ignore[return-value]


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


def _can_be_halved(picture: AnyPicture, size: tuple[int, int]) -> bool:
    """Not with odd sides: dropping a row or column would shift all others."""
    height, width = picture.shape[:2]
    shrinks_enough: bool = min(width // size[0], height // size[1]) >= HALVE_FROM
    return shrinks_enough and width % 2 == height % 2 == 0
