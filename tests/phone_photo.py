"""Fixtures: a phone's photo, as pixels and as a JPEG with what a phone stores in it."""

import io

import numpy as np
import pytest
from PIL import Image

UPRIGHT_PHONE = 6
ORIENTATION = 0x0112


@pytest.fixture(scope="session")
def picture() -> Image.Image:
    """A landscape of 800 × 600 with a red top left corner and enough noise to be 100 kB."""
    noise = np.random.default_rng(7).integers(0, 255, (600, 800, 3), dtype=np.uint8)
    noise[:200, :200] = (220, 20, 20)
    return Image.fromarray(noise)


@pytest.fixture(scope="session")
def jpeg(picture: Image.Image) -> bytes:
    """The picture as a phone stores it: rotated, with an orientation tag and a GPS position."""
    exif = Image.Exif()
    exif[ORIENTATION] = UPRIGHT_PHONE
    exif.get_ifd(0x8825)[1] = "N"
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90, exif=exif)
    return out.getvalue()
