"""Orient: the EXIF orientation becomes the order of the pixels."""

from typing import Final

import pyvips

UPRIGHT: Final = 1


def orient(image: pyvips.Image) -> pyvips.Image:
    """The picture upright, for each of the eight orientations."""
    return image if _orientation(image) == UPRIGHT else image.autorot()


def _orientation(image: pyvips.Image) -> object:
    return image.get("orientation") if image.get_typeof("orientation") else UPRIGHT
