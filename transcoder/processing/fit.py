"""Fit: a picture into a box, aspect kept, never enlarged."""

from typing import Final

import cv2
import pyvips

from transcoder.processing.picture import Picture, from_libvips, to_libvips

# Next to 1:1, four taps of a cubic see as much as the six of Lanczos, in a quarter of the time.
NEARLY_THE_SAME: Final = 0.8
# What is left for the kernel after halving is at least 2; libvips' own shrink stops there too.
HALVE_FROM: Final = 4


def fit(picture: Picture, *, max_width: int, max_height: int) -> Picture:
    """The picture within `max_width` × `max_height` pixels; each side is at least 1."""
    height, width = picture.shape[:2]
    size = size_within(width, height, max_width=max_width, max_height=max_height)
    if size == (width, height):
        return picture
    if min(size[0] / width, size[1] / height) > NEARLY_THE_SAME:
        return cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]
    while _can_be_halved(picture, size):
        picture = average(picture, (picture.shape[1] // 2, picture.shape[0] // 2))
    return from_libvips(resize(to_libvips(picture), size))


def size_within(width: int, height: int, *, max_width: int, max_height: int) -> tuple[int, int]:
    """Width and height in pixels of a picture that has been fitted."""
    scale = min(max_width / width, max_height / height, 1)
    return max(1, round(width * scale)), max(1, round(height * scale))


def resize(image: pyvips.Image, size: tuple[int, int]) -> pyvips.Image:
    """The image in exactly that width and height by Lanczos, when its pixels are asked for."""
    return image.resize(size[0] / image.width, vscale=size[1] / image.height)


def average(picture: Picture, size: tuple[int, int]) -> Picture:
    """A smaller picture, each of whose pixels is the mean of those it stands for."""
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _can_be_halved(picture: Picture, size: tuple[int, int]) -> bool:
    """An odd row or column would have to go, and all the others would move a little."""
    height, width = picture.shape[:2]
    shrinks_enough: bool = min(width // size[0], height // size[1]) >= HALVE_FROM
    return shrinks_enough and width % 2 == height % 2 == 0
