"""Flatten: what is transparent becomes white."""

from typing import Final

import pyvips

WHITE: Final = [255.0]


def flatten(image: pyvips.Image) -> pyvips.Image:
    """The picture without an alpha channel."""
    return image.flatten(background=WHITE) if image.hasalpha() else image
