"""Code points (CICP): the numbers by which files name a colour space, by ITU-T H.273.

What is unspecified (2) is that of sRGB, as in browsers. BT.709, BT.601 and BT.2020 have transfer
functions of cameras, not of screens: show them by that of sRGB, as browsers do.
"""

from typing import Final

from transcoder.processing.colour.colour_space import ColourSpace
from transcoder.processing.colour.primaries import BT709, Primaries
from transcoder.processing.colour.transfer import Transfer

_ILLUMINANT_C: Final = (0.310, 0.316)
_SMPTE170: Final = Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
_P3: Final = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_PRIMARIES: Final = {
    1: BT709,
    2: BT709,
    4: Primaries((0.670, 0.330), (0.210, 0.710), (0.140, 0.080), _ILLUMINANT_C),
    5: Primaries((0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),
    6: _SMPTE170,
    7: _SMPTE170,
    8: Primaries((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _ILLUMINANT_C),
    9: Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: Primaries(*_P3, (0.314, 0.351)),
    12: Primaries(*_P3),
    22: Primaries((0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
_TRANSFERS: Final[dict[int, Transfer]] = {
    1: "srgb",
    2: "srgb",
    4: 2.2,
    5: 2.8,
    6: "srgb",
    7: "smpte240",
    8: 1.0,
    11: "srgb",
    12: "srgb",
    13: "srgb",
    14: "srgb",
    15: "srgb",
    16: "pq",
    18: "hlg",
}


def by_code_points(
    primaries: int, transfer: int, *, is_limited: bool = False
) -> ColourSpace | None:
    """The colour space with these code points; None if one of them is unknown."""
    if primaries not in _PRIMARIES or transfer not in _TRANSFERS:
        return None
    return ColourSpace(
        primaries=_PRIMARIES[primaries], transfer=_TRANSFERS[transfer], is_limited=is_limited
    )
