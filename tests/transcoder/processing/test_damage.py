"""Damage: JPEGs with wrong pixels are refused, and no intact one is, however odd."""

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Final

import numpy as np
import pytest
from PIL import Image

from tests.transcoder import pictures
from tests.transcoder.processing import references
from tests.transcoder.processing.damage import DAMAGE, restart_markers
from tests.transcoder.processing.odd_jpegs import (
    FLAT,
    ODDITIES,
    STRUCTURES,
    half_flat,
    on_a_slide,
    with_bytes_before_restarts,
)
from tests.transcoder.processing.verdicts import WRONG, published, wrong_share
from transcoder.processing.jpeg.seams import is_torn

SIZE: Final = (720, 540)
# Whatever they hit, too much is wrong to be overlooked.
ALWAYS_REFUSED: Final = (
    "a tenth of FF",
    "a tenth of zeros",
    "a random tenth",
    "zeros to the end",
    "FF to the end",
    "random bytes to the end",
    "another JPEG to the end",
    "cut",
)


@cache
def photo() -> Image.Image:
    return references.scene(*SIZE)


@pytest.mark.parametrize("oddity", ODDITIES)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_an_intact_photo_is_published_however_odd(structure: str, oddity: str) -> None:
    content = STRUCTURES[structure](photo())
    assert wrong_share(published(ODDITIES[oddity](content)), published(content)) == 0


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("picture", FLAT)
def test_flat_pictures_are_published(picture: str, structure: str) -> None:
    assert published(STRUCTURES[structure](FLAT[picture]())) is not None


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("change", [half_flat, on_a_slide])
def test_photos_with_flat_parts_are_published(
    change: Callable[[Image.Image], Image.Image], structure: str
) -> None:
    assert published(STRUCTURES[structure](change(photo()))) is not None


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("kind", ALWAYS_REFUSED)
def test_a_photo_of_which_much_is_wrong_is_refused(kind: str, structure: str) -> None:
    content = STRUCTURES[structure](photo())
    assert published(DAMAGE[kind](content, Random(3))) is None  # noqa: S311


def test_few_photos_with_wrong_pixels_are_published() -> None:
    random, refused, missed = Random(5), 0, 0  # noqa: S311 - the same damage on every run
    for encode in STRUCTURES.values():
        content = encode(photo())
        whole = published(content)
        for damage in DAMAGE.values():
            seen = published(damage(content, random))
            refused += seen is None
            missed += seen is not None and wrong_share(seen, whole) > WRONG
    # Measured: 9, and 249 refused.
    assert missed * 20 < refused + missed, (missed, refused)


def test_damage_behind_an_oddity_is_found() -> None:
    # Of all warnings, libjpeg tells the first one only.
    content = pictures.jpeg(photo(), restart_marker_rows=1)
    odd = with_bytes_before_restarts(b"\x10\x32\x54")(content)
    at = restart_markers(odd)[20] - 40
    assert published(odd) is not None
    assert published(odd[:at] + bytes(30) + odd[at + 30 :]) is None


def torn(picture: references.Pixels, *, lighter: int = 0, columns: int = 0) -> references.Pixels:
    """Wrong from a unit of 16 pixels in the middle on: too light, or too far to the left."""
    wrong = np.roll(picture, -16 * columns, axis=1).astype(int) + lighter
    clipped = wrong.clip(0, 255).astype(np.uint8)
    result = picture.copy()
    result[256:] = clipped[256:]
    result[256:272, :320] = picture[256:272, :320]
    return result


@pytest.mark.parametrize("lighter", [-60, -20, 20, 60])
def test_a_seam_of_lightness_is_found(lighter: int) -> None:
    picture = np.asarray(photo())
    assert is_torn(torn(picture, lighter=lighter), unit_width=16, unit_height=16)
    assert is_torn(torn(picture, lighter=lighter)[..., 0], unit_width=16, unit_height=16)
    assert not is_torn(picture, unit_width=16, unit_height=16)


def test_a_step_of_flat_panels_is_no_seam() -> None:
    panels = np.zeros((480, 640, 3), np.uint8)
    assert not is_torn(torn(panels, lighter=90), unit_width=16, unit_height=16)


def test_a_step_that_is_not_between_units_is_no_seam() -> None:
    picture = np.roll(torn(np.asarray(photo()), lighter=60), 4, axis=0)[8:]
    assert not is_torn(picture, unit_width=16, unit_height=16)


@pytest.mark.parametrize("height", range(48, 70))
def test_pictures_of_any_height_are_searched(height: int) -> None:
    picture = np.asarray(photo())[:height]
    assert not is_torn(picture, unit_width=16, unit_height=16)


def test_inks_with_pixels_left_over_are_refused() -> None:
    """Its decoder stops with the last row, so another one looks for what is left."""
    content = pictures.jpeg(photo().convert("CMYK"))
    start = content.index(b"\xff\xda") + 100
    assert published(content[:start] + content[start : start + 4000] + content[start:]) is None
