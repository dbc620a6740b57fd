"""Primaries: which red, green, blue and white the channels of a picture stand for."""

from typing import Final, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Chromaticity: TypeAlias = tuple[float, float]
Matrix: TypeAlias = NDArray[np.float64]

_D65: Final = (0.3127, 0.3290)
# Some writers round chromaticities to three digits.
_SAME: Final = 0.0015
_BRADFORD: Final = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


class Primaries(Struct, frozen=True):
    """CIE x and y of red, green, blue and white."""

    red: Chromaticity
    green: Chromaticity
    blue: Chromaticity
    white: Chromaticity = _D65

    def is_close_to(self, other: "Primaries") -> bool:
        """Whether they differ by rounding only."""
        return bool(np.abs(_chromaticities(self) - _chromaticities(other)).max() <= _SAME)

    def are_real(self) -> bool:
        """Whether light of these primaries can be mixed to their white."""
        points = _chromaticities(self)
        if points.min() < 0 or points[:, 1].min() <= 0 or points.sum(axis=1).max() > 1:
            return False
        # Three primaries on a line have no inverse.
        if abs(np.linalg.det(_xyz(points[:3]))) < np.finfo(np.float32).eps:
            return False
        return bool(_shares(self).min() > 0)


BT709: Final = Primaries((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
ADOBE_RGB: Final = Primaries((0.640, 0.330), (0.210, 0.710), (0.150, 0.060))


def matrix_to_srgb(primaries: Primaries) -> Matrix:
    """From light in these primaries to light in those of sRGB; white stays white."""
    return np.linalg.inv(_matrix_to_xyz(BT709)) @ _adaptation(primaries) @ _matrix_to_xyz(primaries)


def _adaptation(primaries: Primaries) -> Matrix:
    """The Bradford adaptation of the eye from their white to that of sRGB."""
    whites = _xyz(np.array([primaries.white, BT709.white]))
    before, after = (_BRADFORD @ whites).T
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(after / before) @ _BRADFORD)


def _matrix_to_xyz(primaries: Primaries) -> Matrix:
    return _xyz(_chromaticities(primaries)[:3]) * _shares(primaries)


def _shares(primaries: Primaries) -> Matrix:
    """How much of each primary makes the white."""
    points = _xyz(_chromaticities(primaries))
    return np.asarray(np.linalg.solve(points[:, :3], points[:, 3]), np.float64)


def _xyz(points: Matrix) -> Matrix:
    """The colours of luminance 1 with these chromaticities, as columns."""
    x, y = points.T
    return np.stack([x / y, np.ones_like(x), (1 - x - y) / y])


def _chromaticities(primaries: Primaries) -> Matrix:
    return np.array([primaries.red, primaries.green, primaries.blue, primaries.white])
