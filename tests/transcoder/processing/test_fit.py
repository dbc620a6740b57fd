"""Fit: a smaller picture is what Lanczos makes of the whole one, whatever its sides are."""

import cv2
import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray

from transcoder.processing.fit import fit
from transcoder.processing.picture import AnyPicture

# Root mean square, of 255. Halving first makes 0.4, a shift by half a pixel 1.2 and more.
MOST_OFF = 0.8


def textured(width: int, height: int) -> NDArray[np.uint8]:
    """Soft noise in colour: anything that moves shows."""
    noise = np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)
    soft = cv2.GaussianBlur(noise, (0, 0), 6)
    return np.asarray(cv2.normalize(soft, None, 0, 255, cv2.NORM_MINMAX), np.uint8)  # type: ignore[call-overload]


def in_one_step(picture: AnyPicture, width: int, height: int) -> NDArray[np.float32]:
    """The same by libvips in floating point, and without shrinking first."""
    image = pyvips.Image.new_from_array(picture.astype(np.float32))
    scale, vscale = width / image.width, height / image.height
    return np.asarray(image.resize(scale, vscale=vscale, gap=0).numpy(), np.float32)


@pytest.mark.parametrize(
    ("width", "height"), [(1200, 900), (1201, 901), (1203, 902), (1199, 333), (701, 523), (301, 40)]
)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("is_grey", [False, True], ids=["colour", "grey"])
def test_nothing_moves_and_nothing_is_lost(
    width: int, height: int, bits: int, *, is_grey: bool
) -> None:
    levels = 1 if bits == 8 else 257
    picture = textured(width, height).astype(f"uint{bits}") * np.array(levels, f"uint{bits}")
    if is_grey:
        picture = np.ascontiguousarray(picture[:, :, 1])
    fitted = fit(picture, max_width=150, max_height=150)
    assert fitted.shape[1] == 150
    assert fitted.dtype == picture.dtype
    expected = in_one_step(picture, *fitted.shape[1::-1])
    off = (fitted.astype(np.float32) - expected.reshape(fitted.shape)) / levels
    assert np.sqrt((off**2).mean()) <= MOST_OFF


def test_a_picture_that_is_too_large_to_copy_is_resized_likewise() -> None:
    picture = textured(2901, 2001)
    fitted = fit(picture, max_width=1500, max_height=1500)
    off = fitted - in_one_step(picture, *fitted.shape[1::-1])
    assert np.sqrt((off**2).mean()) <= MOST_OFF
