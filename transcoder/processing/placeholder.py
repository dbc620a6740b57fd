"""The placeholder: what an app shows in a photo's place until the photo is there."""

from typing import Final

import numpy as np
from fast_blurhash import PixelMode, encode
from msgspec import Struct

from transcoder.processing.fit import average, size_within
from transcoder.processing.picture import Picture, is_grey, reversed_channels

# Enough for waves this long, and a tenth of a millisecond.
_SIDE: Final = 32
_WAVES_LONG, _WAVES_SHORT = 4, 3
# Colours are counted in boxes of this many levels a side.
_BOX: Final = 32


class Placeholder(Struct, frozen=True, kw_only=True):
    """A BlurHash (blurha.sh), and the photo's most frequent colour as `#rrggbb`."""

    blurhash: str
    dominant_colour: str


def placeholder_of(picture: Picture) -> Placeholder:
    """The placeholder of a photo, from its thumbnail."""
    height, width = picture.shape[:2]
    size = size_within(width, height, max_width=_SIDE, max_height=_SIDE)
    small = reversed_channels(average(picture, size))
    if is_grey(small):
        small = np.dstack([small] * 3)
    across, down = (_WAVES_LONG, _WAVES_SHORT) if width >= height else (_WAVES_SHORT, _WAVES_LONG)
    blurhash = encode(
        small.tobytes(), across, down, width=size[0], height=size[1], mode=PixelMode.RGB
    )
    return Placeholder(blurhash=blurhash, dominant_colour=_dominant_colour(small))


def _dominant_colour(small: Picture) -> str:
    """The mean of the fullest box of similar colours."""
    pixels = small.reshape(-1, 3)
    boxes = pixels // _BOX @ np.array([1, 256 // _BOX, (256 // _BOX) ** 2])
    fullest = np.bincount(boxes).argmax()
    red, green, blue = pixels[boxes == fullest].mean(axis=0).round().astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"
