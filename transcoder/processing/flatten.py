"""Flatten: blend transparent pixels with white."""

from typing import Final

import cv2
import numpy as np
import pyvips

from transcoder.processing.picture import Picture

WHITE: Final = 255.0
# Pixels per strip: few enough to stay in the CPU cache.
_STRIP_PIXELS: Final = 1 << 16
_ALPHA: Final = 3


def flatten(pixels: Picture, *, to_bgr: int, is_premultiplied: bool = False) -> Picture:
    """Remove the alpha channel of pixels in memory, in a third of the time of libvips.

    Args:
        pixels: height × width × 4.
        to_bgr: OpenCV's code for dropping the alpha channel from that order of colours.
        is_premultiplied: whether the colours are multiplied by alpha.
    """
    height, width = pixels.shape[:2]
    flat = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = pixels[top : top + rows]
        opaque = cv2.cvtColor(strip[:, :, _ALPHA], cv2.COLOR_GRAY2BGR)
        shown = cv2.cvtColor(strip, to_bgr)
        if not is_premultiplied:
            shown = cv2.multiply(shown, opaque, scale=1 / 255)
        cv2.add(shown, cv2.bitwise_not(opaque), dst=flat[top : top + rows])
    return flat


def unpremultiply(image: pyvips.Image) -> pyvips.Image:
    """Undo a multiplication of the colours by alpha, lazily."""
    return image.unpremultiply().rint().cast(image.format)


def flatten_lazily(image: pyvips.Image, *, white: float = WHITE) -> pyvips.Image:
    """Remove the alpha channel row by row, for images that do not fit in memory."""
    return image.flatten(background=[white])
