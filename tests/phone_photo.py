"""Fixtures: a phone's photo, as pixels and as a JPEG with all that a phone adds; a large photo."""

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


@pytest.fixture(scope="session")
def large_photo() -> bytes:
    """A PNG of noise, 9 MB: of two parts."""
    noise = np.random.default_rng(11).integers(0, 255, (1500, 2000, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG", compress_level=1)
    return out.getvalue()
