"""libheif: a HEIC is decoded whole, or not at all."""

import io
from collections.abc import Callable
from typing import Final

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from tests.transcoder import pictures
from tests.transcoder.processing.renditions import rendered
from transcoder.errors import CorruptImage
from transcoder.processing.heif import libheif
from transcoder.processing.heif.decoding import decode_heif
from transcoder.processing.heif.libheif import UnknownLayout, verify_layout

TILE: Final = 128


def tiled(width: int = 512, height: int = 384) -> bytes:
    """A HEIC of tiles, as phones make them, with as many bytes for each."""
    return pictures.heic(pictures.noise(width, height), tile_size=TILE)


def test_a_photo_of_tiles_is_published() -> None:
    content = tiled()
    assert content.count(b"hvc1") >= 12
    made = rendered(content)
    assert (made.width, made.height) == (512, 384)


@pytest.mark.parametrize("percent", [5, 20, 50, 70, 90, 99])
@pytest.mark.parametrize("make", [tiled, lambda: pictures.heic(pictures.noise(512, 384))])
def test_a_photo_that_is_cut_is_refused(make: Callable[[], bytes], percent: int) -> None:
    content = make()
    with pytest.raises(CorruptImage):
        rendered(content[: len(content) * percent // 100])


@pytest.mark.parametrize("start", [0.3, 0.5, 0.7])
def test_a_photo_of_tiles_of_which_some_are_zeros_is_refused(start: float) -> None:
    content = tiled()
    hole = slice(int(len(content) * start), int(len(content) * (start + 0.2)))
    with pytest.raises(CorruptImage):
        rendered(content[: hole.start] + bytes(hole.stop - hole.start) + content[hole.stop :])


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_photo_with_tiles_that_cannot_be_decoded_is_refused(mode: str) -> None:
    content = pictures.heic(pictures.noise(512, 384).convert(mode), tile_size=TILE)
    kept = len(content) // 3
    other = b"\xff" * kept
    with pytest.raises(CorruptImage):
        rendered(content[:kept] + other + content[2 * kept :])


@pytest.mark.parametrize("size", [64, 4096, None])
@pytest.mark.parametrize("start", [0.2, 0.5, 0.8])
def test_a_photo_of_one_piece_with_a_block_of_zeros_is_refused(
    start: float, size: int | None
) -> None:
    content = pictures.heic(pictures.noise(512, 384))
    kept = int(len(content) * start)
    zeros = bytes(len(content) - kept if size is None else size)
    with pytest.raises(CorruptImage):
        rendered(content[:kept] + zeros + content[kept + len(zeros) :])


def test_a_photo_whose_blocks_end_early_is_refused() -> None:
    content = pictures.heic(pictures.noise(1200, 900))
    kept = len(content) // 4
    other = np.random.default_rng(1).bytes(len(content) // 2)
    with pytest.raises(CorruptImage):
        rendered(content[:kept] + other + content[kept + len(other) :])


@pytest.mark.parametrize("transparent", [False, True])
def test_a_photo_of_the_green_that_missing_blocks_have_is_published(*, transparent: bool) -> None:
    green = Image.new("RGBA" if transparent else "RGB", (320, 200), (0, 135, 0))
    made = rendered(pictures.heic(green))
    assert all(
        pictures.is_like(colour, (0, 135, 0))
        for colour in pictures.colours_in_corners(made.variants[0].content)
    )


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(301, 201), (320, 200), (1, 1)])
def test_pixels_are_those_that_pillow_heif_decodes(size: tuple[int, int], mode: str) -> None:
    content = pictures.heic(pictures.noise(*size).convert(mode))
    expected = np.asarray(pillow_heif.open_heif(content, bgr_mode=True))
    assert np.array_equal(decode_heif(content), expected)


def test_a_grey_photo_of_ten_bits_keeps_its_greys() -> None:
    values = np.asarray(pictures.grey()).astype(np.uint16) * 257
    deep = Image.fromarray(values)
    content = pictures.heic(deep, quality=95)
    assert pillow_heif.open_heif(io.BytesIO(content)).info["bit_depth"] > 8
    assert np.abs(decode_heif(content).astype(int) - np.asarray(pictures.grey())).max() <= 4


@pytest.mark.parametrize("version", [1, 2, 4])
def test_a_layout_in_which_another_version_added_the_option_is_unknown(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify_layout()
    monkeypatch.setattr(libheif, "_STRICT_SINCE", version)
    with pytest.raises(UnknownLayout):
        verify_layout()
