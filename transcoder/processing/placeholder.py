"""The placeholder: what an app shows until it has loaded the photo."""

from typing import Final

import numpy as np
from fast_blurhash import PixelMode, encode
from msgspec import Struct
from numpy.typing import NDArray

from transcoder.processing.fit import average
from transcoder.processing.picture import Picture, is_grey, swap_channels

# A BlurHash ignores the aspect ratio and needs several pixels per wave, so every picture is scaled
# to a square of this side.
_SIDE: Final = 64
_WAVES_LONG, _WAVES_SHORT = 4, 3
# Similar colours are counted in boxes of this many levels a side, in two grids: a frequent colour
# may lie on the border of a box in one of them.
_BOX: Final = 32
_GRIDS: Final = (0, _BOX // 2)


class Placeholder(Struct, frozen=True, kw_only=True):
    """A BlurHash (blurha.sh), and the photo's most frequent colour as `#rrggbb`."""

    blurhash: str
    dominant_colour: str


def placeholder_of(picture: Picture) -> Placeholder:
    """Make the placeholder of a photo from its thumbnail."""
    height, width = picture.shape[:2]
    small = swap_channels(average(picture, (_SIDE, _SIDE)))
    if is_grey(small):
        small = np.dstack([small] * 3)
    across, down = (_WAVES_LONG, _WAVES_SHORT) if width >= height else (_WAVES_SHORT, _WAVES_LONG)
    blurhash = encode(small.tobytes(), across, down, width=_SIDE, height=_SIDE, mode=PixelMode.RGB)
    return Placeholder(blurhash=blurhash, dominant_colour=_dominant_colour(small))


def _dominant_colour(small: Picture) -> str:
    """The mean of the fullest box of similar colours."""
    pixels = small.reshape(-1, 3).astype(int)
    fullest = max((_fullest_box(pixels, shift) for shift in _GRIDS), key=np.count_nonzero)
    red, green, blue = pixels[fullest].mean(axis=0).round().astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _fullest_box(pixels: NDArray[np.int64], shift: int) -> NDArray[np.bool_]:
    """The mask of its pixels."""
    boxes = (pixels + shift) // _BOX @ np.array([1, _BOX, _BOX * _BOX])
    return np.asarray(boxes == np.bincount(boxes).argmax())
