"""Decode: all pixels into memory, once; every later step shares them."""

from typing import Final

import pyvips

from transcoder.errors import CorruptImage, OutOfMemory

# How libvips begins the sentence; it has no error code for it.
_OUT_OF_MEMORY: Final = "out of memory"


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
        if _OUT_OF_MEMORY in str(error):
            raise OutOfMemory from error
        raise CorruptImage(reason=str(error)) from error
