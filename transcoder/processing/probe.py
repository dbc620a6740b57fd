"""Probe: what the header promises must be within the limits, before any pixel is decoded."""

import pyvips

from transcoder.errors import SideTooLong, TooManyBands, TooManyPixels
from transcoder.rendering import Limits


def check_limits(image: pyvips.Image, limits: Limits) -> None:
    """Go on, if the picture is one that we decode.

    Raises:
        SideTooLong, TooManyPixels, TooManyBands: it is not.
    """
    longer = max(image.width, image.height)
    if longer > limits.max_side:
        raise SideTooLong(side=longer, limit=limits.max_side)
    pixels = image.width * image.height
    if pixels > limits.max_pixels:
        raise TooManyPixels(pixels=pixels, limit=limits.max_pixels)
    if image.bands > limits.max_bands:
        raise TooManyBands(bands=image.bands, limit=limits.max_bands)
