"""Verdicts: what the product decides about a JPEG, and how much of a picture is wrong."""

from typing import Final

import cv2
import numpy as np

from tests.transcoder.processing.references import Pixels
from transcoder.errors import CorruptImage
from transcoder.processing.decode import decode
from transcoder.processing.load import load
from transcoder.processing.original.source_colour import source_colour

# The share of pixels that makes a photo wrong, and of 255, in any channel, what makes a pixel so.
WRONG: Final = 0.01
_VISIBLE: Final = 16
_BOX: Final = 4000


def published(content: bytes) -> Pixels | None:
    """The pixels of a JPEG as the product decodes it; None if it is refused."""
    try:
        header = load(content, "image/jpeg")
        colour = source_colour(content, "image/jpeg", header)
        picture = decode(content, "image/jpeg", header, colour, box=_BOX).picture
        return np.asarray(picture, np.uint8)
    except CorruptImage:
        return None


def wrong_share(seen: Pixels | None, whole: Pixels | None) -> float:
    """The share of pixels that are visibly not what they should be."""
    if seen is None or whole is None or seen.shape != whole.shape:
        return 1.0
    off = cv2.absdiff(seen, whole) > _VISIBLE
    return float((off.any(axis=-1) if off.ndim > 2 else off).mean())
