"""The matrix-shaper: the kind of most profiles of cameras and screens, applied with OpenCV.

A curve for each channel makes values linear in light, a matrix converts between the primaries, and
the curve of sRGB encodes the result. Curves and matrix are not read from a profile but measured on
what LittleCMS makes of pure colours; those of a colour space come from formulas.
"""

from typing import Final

import cv2
import numpy as np
import pyvips
from numpy.typing import NDArray

from transcoder.processing.colour.colour_space import ColourSpace
from transcoder.processing.colour.srgb import LIGHT_LEVELS, bgr_matrix_to_srgb, srgb_table
from transcoder.processing.picture import AnyPicture, Picture, room_for_8_bits

# Pixels per strip: few enough to stay in the CPU cache.
_STRIP_PIXELS: Final = 1 << 16
# Blue, green and red alone, each from darkest to brightest.
RAMPS: Final = np.zeros((3, 256, 3), np.uint8)
RAMPS[np.arange(3), :, np.arange(3)] = np.arange(256)
_LUMINANCE: Final = 1


class MatrixShaper:
    """A conversion to sRGB; call it with a picture in colour."""

    def __init__(
        self, curves: NDArray[np.uint16], matrix: NDArray[np.float32], back: NDArray[np.uint8]
    ) -> None:
        self._curves = curves
        self._matrix = matrix
        self._back = back

    @classmethod
    def of(cls, ramps: pyvips.Image, srgb_ramps: pyvips.Image) -> "MatrixShaper":
        """Fit one to a profile.

        Args:
            ramps: `RAMPS` in CIE XYZ, by the profile.
            srgb_ramps: `RAMPS` in CIE XYZ, by sRGB.
        """
        curves, primaries = _curves_and_primaries(ramps)
        srgb_curves, srgb_primaries = _curves_and_primaries(srgb_ramps)
        light = np.linspace(0, 1, LIGHT_LEVELS)
        return cls(
            curves=(curves.clip(0, 1) * (LIGHT_LEVELS - 1)).round().astype(np.uint16)[:, None],
            matrix=(np.linalg.pinv(srgb_primaries) @ primaries).astype(np.float32),
            back=np.interp(light, srgb_curves[:, 1], np.arange(256)).round().astype(np.uint8),
        )

    @classmethod
    def of_space(cls, space: ColourSpace, *, levels: int) -> "MatrixShaper":
        """Make one for samples of so many levels."""
        curve = (space.light(levels) * (LIGHT_LEVELS - 1)).round().astype(np.uint16)
        return cls(
            curves=curve[None],
            matrix=bgr_matrix_to_srgb(space.primaries).astype(np.float32),
            back=srgb_table()[None],
        )

    def __call__(self, picture: AnyPicture) -> Picture:
        """Convert to sRGB, in place if the picture has 8 bits and is writeable."""
        converted = room_for_8_bits(picture)
        rows = max(1, _STRIP_PIXELS // picture.shape[1])
        for top in range(0, len(picture), rows):
            light = cv2.transform(cv2.LUT(picture[top : top + rows], self._curves), self._matrix)
            cv2.LUT(light, self._back, dst=converted[top : top + rows])
        return converted


def _curves_and_primaries(ramps: pyvips.Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """256 × 3 from 0 to 1, and the X, Y and Z of each primary as columns."""
    light = ramps.numpy().astype(np.float64)
    luminance = light[..., _LUMINANCE].T
    brightest = np.maximum(luminance[-1], np.finfo(float).tiny)
    return luminance / brightest, light[:, -1].T
