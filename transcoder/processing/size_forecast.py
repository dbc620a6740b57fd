"""The size forecast: how large a JPEG would get, from an eighth of its pixels.

Finding by bisection the quality that meets a byte cap encodes a picture five times, which costs
more than everything else together. Every eighth row of blocks has the same mixture of sky and
leaves as the whole picture, and tells its size within some per cent; after the first real encode,
within a few per mille.
"""

from typing import Final

import numpy as np

from transcoder.processing.jpeg import encode_jpeg
from transcoder.processing.picture import Picture

# Rows of pixels that 4:2:0 encodes together, and how many of those rows share one in the sample.
_BLOCK: Final = 16
_ONE_IN: Final = 8
# Start, tables and end, which are there once and do not grow with the picture.
_FIXED_BYTES: Final = 623
# Bytes fall with the coarseness of the quantiser to about this power, on photos.
_POWER: Final = 0.65


class SizeForecast:
    """Forecasts for one picture."""

    def __init__(self, picture: Picture) -> None:
        self._sample = _sample(picture)
        self._share = len(self._sample) / len(picture)
        self._sizes: dict[int, float] = {}
        self._correction = 1.0

    def learn(self, quality: int, size: int) -> None:
        """Take into account that the whole picture is `size` bytes at `quality`."""
        self._correction *= size / self._size(quality)

    def highest_quality(self, *, max_bytes: int, at_least: int, at_most: int) -> int:
        """The highest that seems to meet `max_bytes`; `at_least` if none does."""
        quality = at_most
        while quality > at_least and (size := self._size(quality)) > max_bytes:
            coarser = _coarseness(quality) * (size / max_bytes) ** (1 / _POWER)
            quality = max(at_least, min(quality - 1, _quality(coarser)))
        while quality < at_most and self._size(quality + 1) <= max_bytes:
            quality += 1
        return quality

    def _size(self, quality: int) -> float:
        if quality not in self._sizes:
            pixels = len(encode_jpeg(self._sample, quality)) - _FIXED_BYTES
            self._sizes[quality] = _FIXED_BYTES + pixels / self._share
        return self._sizes[quality] * self._correction


def _sample(picture: Picture) -> Picture:
    rows = range(0, len(picture), _BLOCK)[_ONE_IN // 2 :: _ONE_IN] or range(1)
    return np.concatenate([picture[row : row + _BLOCK] for row in rows])


def _coarseness(quality: int) -> int:
    # libjpeg's own scale for qualities from 50 on: twice as coarse, half the precision.
    return max(1, 200 - 2 * quality)


def _quality(coarseness: float) -> int:
    return int(100 - coarseness / 2)
