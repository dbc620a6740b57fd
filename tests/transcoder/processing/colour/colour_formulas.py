"""Colour formulas: what the standards make of colours, written from their text for the tests.

Nothing here is the product's: matrices are those that the standards print.
"""

from math import exp, log
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tests.transcoder.processing import references

Values: TypeAlias = NDArray[np.float64]
Pixels: TypeAlias = NDArray[np.uint8]

SDR_WHITE_NITS: Final = 203
# ITU-R BT.2087: light from BT.709 to BT.2020.
_BT2020_OF_BT709: Final = np.array(
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)
# To that of sRGB: from Display P3 (CSS Color 4), BT.2020 (BT.2087), Adobe RGB (its specification).
SRGB_OF: Final[dict[str, Values]] = {
    "Display P3": np.array(
        [
            [1.2249402, -0.2249402, 0.0],
            [-0.0420570, 1.0420570, 0.0],
            [-0.0196376, -0.0786360, 1.0982736],
        ]
    ),
    "BT.2020": np.array(
        [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    ),
    "Adobe RGB": np.array([[1.39836, -0.39836, 0.0], [0.0, 1.0, 0.0], [0.0, -0.04293, 1.04293]]),
    "sRGB": np.eye(3),
}


def in_srgb(colours: Pixels, primaries: str, *, gamma: float | None = None) -> Pixels:
    """Colours with those primaries, and the curve of sRGB or a plain gamma, in sRGB."""
    numbers = colours.astype(np.float64)
    light = references.light(numbers) if gamma is None else (numbers / 255) ** gamma
    return srgb_of_light(light @ SRGB_OF[primaries].T)


def srgb_of_light(light: Values) -> Pixels:
    """The numbers of light, where 1 is white and what is brighter is white, too."""
    return references.numbers(light.clip(0, 1)).round().astype(np.uint8)


def in_pq(light: Values) -> Values:
    """Light in BT.709, relative to diffuse white, in BT.2020 and PQ: numbers from 0 to 1."""
    return np.asarray(np.vectorize(pq)(_in_bt2020(light) * SDR_WHITE_NITS))


def in_hlg(light: Values) -> Values:
    """Light of a scene in BT.709, relative to diffuse white, in BT.2020 and HLG."""
    return np.asarray(np.vectorize(_hlg)(_in_bt2020(light) * _hlg_light(0.75)))


def _in_bt2020(light: Values) -> Values:
    return np.asarray((light @ _BT2020_OF_BT709.T).clip(0))


def pq(nits: float) -> float:
    """SMPTE ST 2084, equation 5.2."""
    power = (nits / 10_000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def nits(number: float) -> float:
    """SMPTE ST 2084, equation 4.1."""
    root = number ** (1 / 78.84375)
    return float(
        10_000 * (max(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    )


def _hlg(light: float) -> float:
    """ITU-R BT.2100, table 5: the OETF."""
    if light <= 1 / 12:
        return float((3 * light) ** 0.5)
    return 0.17883277 * log(12 * light - 0.28466892) + 0.55991073


def _hlg_light(number: float) -> float:
    if number <= 1 / 2:
        return number**2 / 3
    return (exp((number - 0.55991073) / 0.17883277) + 0.28466892) / 12


def bt2390(light: float, peak: float) -> float:
    """Light on a screen with that peak on one that ends at diffuse white: BT.2390, section 5.4.1.

    Both, and the result, are relative to diffuse white.
    """
    brightest = pq(peak * SDR_WHITE_NITS)
    e1 = min(pq(light * SDR_WHITE_NITS) / brightest, 1.0)
    max_lum = pq(SDR_WHITE_NITS) / brightest
    ks = 1.5 * max_lum - 0.5
    e2 = e1
    if e1 >= ks and ks < 1:
        t = (e1 - ks) / (1 - ks)
        e2 = (2 * t**3 - 3 * t**2 + 1) * ks + (t**3 - 2 * t**2 + t) * (1 - ks)
        e2 += (-2 * t**3 + 3 * t**2) * max_lum
    return nits(e2 * brightest) / SDR_WHITE_NITS
