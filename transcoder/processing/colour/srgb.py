"""sRGB: the colour space of all variants, by formula."""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from transcoder.processing.colour.primaries import Matrix, Primaries, matrix_to_srgb
from transcoder.processing.colour.transfer import Values

LIGHT_LEVELS: Final = 1 << 16
# IEC 61966-2-1: below this light, the curve is straight.
_DARK: Final = 0.0031308


def light_to_srgb(light: Values) -> Values:
    """Numbers from 0 to 255 by light from 0 to 1."""
    curve = 1.055 * light ** (1 / 2.4) - 0.055
    return 255 * np.where(light <= _DARK, 12.92 * light, curve)


@cache
def srgb_table() -> NDArray[np.uint8]:
    """The number of each level of light."""
    return light_to_srgb(np.linspace(0, 1, LIGHT_LEVELS)).round().astype(np.uint8)


def bgr_matrix_to_srgb(primaries: Primaries) -> Matrix:
    """From light in these primaries to light in those of sRGB, with blue first."""
    return matrix_to_srgb(primaries)[::-1, ::-1]
