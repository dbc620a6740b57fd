"""Decode: all pixels into memory, once; every later step shares them."""

import pyvips

from transcoder.processing.failure import failure_of


def decode(image: pyvips.Image) -> pyvips.Image:
    """The same image with its pixels in memory.

    In memory first, because turning a sequential image upright fails on large photos.

    Raises:
        CorruptImage: the pixel data is damaged.
        OutOfMemory: there is not enough of it.
    """
    try:
        return image.copy_memory()
    except pyvips.Error as error:
        raise failure_of(error) from error
