"""The size forecast: the size of a JPEG, estimated from an eighth of its pixels.

Bisecting for the quality that meets a byte cap would encode a picture five times, which costs more
than all other steps together. A sample of every eighth row of blocks predicts the size within a few
per cent; corrected by the first real encode, within a few per mille.
"""

from math import log
from typing import Final

import numpy as np

from transcoder.processing.jpeg.codec import encode_jpeg
from transcoder.processing.picture import Picture

# Rows of pixels in a 4:2:0 block row, and the sample takes one block row in so many.
_BLOCK: Final = 16
_ONE_IN: Final = 8
# Header, tables and end, which do not grow with the picture.
_FIXED_BYTES: Final = 623
# For photos, the size falls with the coarseness of the quantiser to about this power.
_POWER: Final = 0.65


class SizeForecast:
    """The forecast for one picture."""

    def __init__(self, picture: Picture, *, own_codes: bool) -> None:
        self._sample = _sample(picture)
        self._own_codes = own_codes
        self._share = len(self._sample) / len(picture)
        self._sizes: dict[int, float] = {}
        self._correction = 1.0

    def learn(self, quality: int, size: int) -> None:
        """Correct the forecast: the whole picture has `size` bytes at `quality`."""
        self._correction *= size / self._size(quality)

    def highest_quality(self, max_bytes: int, *, at_least: int, at_most: int) -> int:
        """The highest quality forecast to meet `max_bytes`; `at_least` if none is."""
        tried: set[int] = set()
        quality = at_most
        while quality not in tried:
            tried.add(quality)
            quality = min(at_most, max(at_least, self._next_guess(quality, max_bytes)))
        return max((q for q in tried if self._size(q) <= max_bytes), default=at_least)

    def _next_guess(self, quality: int, max_bytes: int) -> int:
        """The quality forecast to match `max_bytes`, extrapolated from the size at another one."""
        excess = self._size(quality) / max_bytes
        return _quality(_coarseness(quality) * excess ** (1 / self._power()))

    def _power(self) -> float:
        """The exponent fitted to the last two samples."""
        *_, (one, small), (other, large) = [(90, 1.0), (90, 1.0), *self._sizes.items()]
        if one == other or small == large:
            return _POWER
        power = log(small / large) / log(_coarseness(other) / _coarseness(one))
        return min(max(power, _POWER / 2), _POWER * 2)

    def _size(self, quality: int) -> float:
        if quality not in self._sizes:
            content = encode_jpeg(self._sample, quality, own_codes=self._own_codes)
            growing = max(1, len(content) - _FIXED_BYTES)
            self._sizes[quality] = _FIXED_BYTES + growing / self._share
        return self._sizes[quality] * self._correction


def _sample(picture: Picture) -> Picture:
    rows = range(0, len(picture), _BLOCK)[_ONE_IN // 2 :: _ONE_IN] or range(1)
    return np.concatenate([picture[row : row + _BLOCK] for row in rows])


def _coarseness(quality: int) -> int:
    # libjpeg's own scale for qualities from 50 on: twice as coarse, half the precision.
    return max(1, 200 - 2 * quality)


def _quality(coarseness: float) -> int:
    return int(100 - coarseness / 2)
