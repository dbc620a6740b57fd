"""The placeholder: a BlurHash and a dominant colour that stand in for the photo."""

import numpy as np
import pytest
from fast_blurhash import decode as decode_blurhash
from PIL import Image

from tests.transcoder import pictures
from tests.transcoder.pictures import BLUE, CORNERS, GREEN, RED
from tests.transcoder.processing import references
from tests.transcoder.processing.renditions import pixels, rendered, variant_of
from transcoder.rendering import Rendering


def unfolded(rendering: Rendering) -> references.Pixels:
    """What an app shows for the BlurHash, as large as the thumbnail."""
    small = variant_of(rendering, "thumbnail")
    shown = decode_blurhash(rendering.blurhash, small.width, small.height)
    assert isinstance(shown, bytes)
    return np.frombuffer(shown, np.uint8).reshape(small.height, small.width, 3)


def side_by_side(left: tuple[int, ...], right: tuple[int, ...], *, share: float) -> bytes:
    picture = Image.new("RGB", (600, 400), right)
    picture.paste(left, (0, 0, round(600 * share), 400))
    return pictures.png(picture)


def test_the_placeholder_has_each_colour_where_the_photo_has_it() -> None:
    shown = unfolded(rendered(side_by_side(RED, BLUE, share=0.5)))
    left, right = (shown[:, part].mean(axis=(0, 1)) for part in (slice(30), slice(-30, None)))
    # Four waves make a soft edge. Measured: 30 of 255.
    assert np.abs(left - RED).max() <= 40
    assert np.abs(right - BLUE).max() <= 40


@pytest.mark.parametrize("size", [(800, 600), (600, 800), (2400, 1800)])
def test_the_placeholder_is_as_bright_and_colourful_as_the_photo(size: tuple[int, int]) -> None:
    rendering = rendered(pictures.jpeg(references.scene(*size)))
    shown, small = unfolded(rendering), pixels(variant_of(rendering, "thumbnail"))
    # Of 255. Measured: 2.4.
    off = references.mean_in_light(shown) - references.mean_in_light(small)
    assert np.abs(off).max() <= 5
    sides = (np.array_split(picture, 2, axis=1) for picture in (shown, small))
    for ours, wanted in zip(*sides, strict=True):
        off = references.difference(*map(references.mean_in_light, (ours, wanted)))
        # CIEDE2000, of what twelve waves cannot tell. Measured: 3.2.
        assert off <= 5


@pytest.mark.parametrize("colour", [*CORNERS, (96, 128, 160), (255, 255, 255), (0, 0, 0)])
@pytest.mark.parametrize("share", [0.55, 0.8])
def test_the_dominant_colour_is_that_of_the_largest_area(
    colour: tuple[int, ...], share: float
) -> None:
    other = (120, 60, 90)
    for content in (
        side_by_side(colour, other, share=share),
        side_by_side(other, colour, share=1 - share),
    ):
        assert rendered(content).dominant_colour == "#" + bytes(colour).hex()


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (3, 2), (16_384, 1), (300, 200)])
def test_the_smallest_and_the_greyest_photos_have_a_placeholder(size: tuple[int, int]) -> None:
    for picture, colour in (
        (Image.new("RGB", size, (30, 180, 40)), "#1eb428"),
        (Image.new("L", size, 90), "#5a5a5a"),
    ):
        rendering = rendered(pictures.png(picture))
        assert rendering.dominant_colour == colour
        assert len(unfolded(rendering))


def test_the_placeholder_of_a_grey_photo_is_grey() -> None:
    shown = unfolded(rendered(pictures.jpeg(pictures.grey()))).astype(int)
    assert np.ptp(shown, axis=-1).max() <= 1
    assert shown[:10].mean() < 60
    assert shown[-10:].mean() > 195


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (3, 2), (8, 6), (300, 200)])
def test_a_plain_photo_has_a_plain_placeholder_however_small_it_is(size: tuple[int, int]) -> None:
    rendering = rendered(pictures.png(Image.new("RGB", size, GREEN)))
    shown = decode_blurhash(rendering.blurhash, 32, 32)
    assert isinstance(shown, bytes)
    colours = np.frombuffer(shown, np.uint8).reshape(-1, 3).astype(int)
    assert np.abs(colours - GREEN).max() <= 6


@pytest.mark.parametrize("grey", [112, 120, 127, 128])
def test_a_grainy_area_is_one_colour(grey: int) -> None:
    grain = np.random.default_rng(1).normal(grey, 20, (400, 600, 3)).clip(0, 255)
    picture = Image.fromarray(grain.astype(np.uint8))
    picture.paste(RED, (0, 0, 180, 400))
    colour = rendered(pictures.png(picture)).dominant_colour
    assert all(abs(int(colour[at : at + 2], 16) - grey) < 12 for at in (1, 3, 5)), colour
