"""Transfer functions: between the numbers of a picture and light, where 1 is diffuse white."""

from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

# A named curve, or the exponent of a plain one.
Transfer: TypeAlias = Literal["srgb", "smpte240", "pq", "hlg"] | float
Values: TypeAlias = NDArray[np.float64]

# ITU-R BT.2408: diffuse white in HDR, in cd/m² and as a number in HLG.
WHITE_NITS: Final = 203.0
_HLG_WHITE: Final = 0.75
# SMPTE ST 2084.
_PQ_NITS: Final = 10_000.0
_M1, _M2 = 2610 / 16384, 2523 / 32
_C1, _C2, _C3 = 3424 / 4096, 2413 / 128, 2392 / 128
# ITU-R BT.2100.
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073


def to_light(numbers: Values, transfer: Transfer) -> Values:
    """Light by numbers from 0 to 1; HLG gives the light of the scene."""
    match transfer:
        case "srgb":
            return _power(numbers, 2.4, offset=0.055, slope=12.92, until=0.04045)
        case "smpte240":
            return _power(numbers, 1 / 0.45, offset=0.1115, slope=4.0, until=0.0912)
        case "pq":
            return pq_to_nits(numbers) / WHITE_NITS
        case "hlg":
            return _hlg_scene(numbers) / _hlg_scene(np.array(_HLG_WHITE))
        case gamma:
            return np.asarray(numbers**gamma)


def white_of(transfer: Transfer) -> float:
    """The number of diffuse white."""
    match transfer:
        case "pq":
            return float(nits_to_pq(np.array(WHITE_NITS)))
        case "hlg":
            return _HLG_WHITE
        case _:
            return 1.0


def pq_to_nits(numbers: Values) -> Values:
    """Luminance in cd/m² by SMPTE ST 2084."""
    root = numbers ** (1 / _M2)
    return np.asarray(_PQ_NITS * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1))


def nits_to_pq(nits: Values) -> Values:
    """The inverse: numbers from 0 to 1."""
    power = (nits / _PQ_NITS) ** _M1
    return np.asarray(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


def _hlg_scene(numbers: Values) -> Values:
    return np.where(numbers <= 1 / 2, numbers**2 / 3, (np.exp((numbers - _C) / _A) + _B) / 12)


def _power(
    numbers: Values, exponent: float, *, offset: float, slope: float, until: float
) -> Values:
    """A power of the number, with a straight line in the dark."""
    curve = ((numbers + offset) / (1 + offset)) ** exponent
    return np.where(numbers <= until, numbers / slope, curve)
