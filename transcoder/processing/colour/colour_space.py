"""Colour spaces: what the numbers of a picture without an ICC profile mean."""

from typing import Final, TypeAlias

import numpy as np
from msgspec import Struct

from transcoder.processing.colour.primaries import BT709, Primaries
from transcoder.processing.colour.transfer import Transfer, Values, to_light, white_of

_HDR: Final = frozenset({"pq", "hlg"})
# ITU-T H.273: black and white of the limited range with 8 bits; deeper numbers are shifted.
_BLACK, _WHITE = 16, 235
_LEVELS: Final = 256


class ColourSpace(Struct, frozen=True, kw_only=True):
    """Primaries, transfer function and range; by default those of sRGB."""

    primaries: Primaries = BT709
    transfer: Transfer = "srgb"
    is_limited: bool = False

    @property
    def is_hdr(self) -> bool:
        """Whether light can be brighter than diffuse white."""
        return self.transfer in _HDR

    @property
    def is_srgb(self) -> bool:
        """Whether its numbers are those of sRGB."""
        is_full_srgb = self.transfer == "srgb" and not self.is_limited
        return is_full_srgb and self.primaries.is_close_to(BT709)

    def light(self, levels: int) -> Values:
        """The light of each of 256 or 65,536 levels, where 1 is diffuse white."""
        numbers = np.arange(levels) / (levels - 1)
        if self.is_limited:
            numbers = (np.arange(levels) * _LEVELS / levels - _BLACK) / (_WHITE - _BLACK)
        return to_light(numbers.clip(0, 1), self.transfer)

    def white(self, levels: int) -> float:
        """The level of diffuse white, of 256 or 65,536."""
        white = white_of(self.transfer)
        if self.is_limited:
            return (_BLACK + white * (_WHITE - _BLACK)) * levels / _LEVELS
        return white * (levels - 1)


# An ICC profile, a colour space, or None for sRGB.
SourceColour: TypeAlias = bytes | ColourSpace | None
