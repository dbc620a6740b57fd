"""Formats without checksums: WebP and tiles of AVIF, as far as anything can tell."""

from collections.abc import Callable
from typing import Final

import pytest
from PIL import Image

from tests.transcoder import pictures
from tests.transcoder.avif_grid import avif_grid
from tests.transcoder.processing import references
from tests.transcoder.processing.renditions import rendered
from transcoder.errors import CorruptImage

SIZE: Final = (768, 512)
PHOTOS: Final[dict[str, Callable[[Image.Image], bytes]]] = {
    "WebP": pictures.webp,
    "lossless WebP": lambda picture: pictures.webp(picture, lossless=True),
    "AVIF": pictures.avif,
    "AVIF of tiles": lambda picture: avif_grid(picture, columns=3, rows=2),
    "PNG": pictures.png,
}
CHECKED: Final = ("AVIF", "AVIF of tiles", "PNG")
FLAT: Final = ("white", "black", (128, 128, 128), (0, 128, 0), (0, 255, 0))


def with_block(content: bytes, block: bytes, *, start: float) -> bytes:
    at = int(len(content) * start)
    return content[:at] + block + content[at + len(block) :]


@pytest.mark.parametrize("kind", PHOTOS)
def test_an_intact_photo_is_published(kind: str) -> None:
    made = rendered(PHOTOS[kind](references.scene(*SIZE)))
    assert (made.width, made.height) == SIZE


@pytest.mark.parametrize("colour", FLAT)
@pytest.mark.parametrize("kind", PHOTOS)
def test_a_flat_picture_is_published(kind: str, colour: str | tuple[int, int, int]) -> None:
    rendered(PHOTOS[kind](Image.new("RGB", SIZE, colour)))


@pytest.mark.parametrize("start", [0.4, 0.6])
@pytest.mark.parametrize("kind", PHOTOS)
def test_a_photo_that_ends_in_zeros_is_refused(kind: str, start: float) -> None:
    content = PHOTOS[kind](references.scene(*SIZE))
    zeros = bytes(len(content) - int(len(content) * start))
    with pytest.raises(CorruptImage):
        rendered(with_block(content, zeros, start=start))


@pytest.mark.parametrize("percent", [30, 60, 90, 99])
@pytest.mark.parametrize("kind", PHOTOS)
def test_a_photo_that_is_cut_is_refused(kind: str, percent: int) -> None:
    content = PHOTOS[kind](references.scene(*SIZE))
    with pytest.raises(CorruptImage):
        rendered(content[: len(content) * percent // 100])


@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"\x5a"])
@pytest.mark.parametrize("start", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("kind", CHECKED)
def test_a_photo_with_a_small_hole_is_refused(kind: str, start: float, fill: bytes) -> None:
    content = PHOTOS[kind](references.scene(*SIZE))
    with pytest.raises(CorruptImage):
        rendered(with_block(content, fill * 500, start=start))


def test_zeros_in_the_metadata_of_a_webp_do_no_harm() -> None:
    rendered(
        pictures.webp(references.scene(*SIZE), exif=b"Exif\0\0II*\0\x08\0\0\0" + bytes(60_000))
    )
