"""Similarity: SSIM, as its authors define it, on the lightness of two pictures."""

from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from transcoder.processing.picture import GREY_DIMENSIONS

Values: TypeAlias = NDArray[np.float32]

_C1: Final = (0.01 * 255) ** 2
_C2: Final = (0.03 * 255) ** 2


def ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """1 for pictures that look the same; windows are Gaussian with a deviation of 1.5 pixels."""
    x, y = _lightness(a), _lightness(b)
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x = _blurred(x * x) - mean_x**2
    variance_y = _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    alike = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    return float(np.mean(alike / ((mean_x**2 + mean_y**2 + _C1) * (variance_x + variance_y + _C2))))


def _lightness(picture: NDArray[np.uint8]) -> Values:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim > GREY_DIMENSIONS else picture
    return grey.astype(np.float32)


def _blurred(values: Values) -> Values:
    return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5), np.float32)
