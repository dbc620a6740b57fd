"""The pipeline: any photo becomes three plain JPEGs, upright, in sRGB, within their bounds."""

import hashlib
from bisect import bisect_right
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from domain.formats import SNIFF_BYTES, sniff
from domain.recipes import MEDIUM, ORIGINAL, RECIPES, Recipe
from tests.transcoder import pictures
from tests.transcoder.pictures import BLUE, CORNERS, GREEN, RED, WHITE, YELLOW
from transcoder.errors import RenderTimedOut
from transcoder.processing.encode import LOWEST_QUALITY, encode
from transcoder.processing.jpeg.codec import encode_jpeg
from transcoder.processing.picture import swap_channels
from transcoder.processing.pipeline import render
from transcoder.rendering import Limits, RenderedVariant

# Start of image, JFIF, tables, one frame, scan: and no other APPn, no comment.
HUFFMAN = 0xC4
PIXELS_ONLY = {0xE0, 0xDB, 0xC0, 0xC2, 0xC4, 0xDA, 0xDD}


def variants(content: bytes) -> dict[str, RenderedVariant]:
    """Render, and check what holds for every variant of every picture."""
    content_type = sniff(content[:SNIFF_BYTES])
    assert content_type
    rendering = render(content, content_type, Limits())
    assert {variant.name for variant in rendering.variants} == {each.variant for each in RECIPES}
    for variant in rendering.variants:
        assert_is_a_plain_jpeg(variant)
        assert_is_within_its_bounds(variant, rendering.width, rendering.height)
    return {variant.name: variant for variant in rendering.variants}


def assert_is_a_plain_jpeg(variant: RenderedVariant) -> None:
    picture = pictures.opened(variant.content)
    assert picture.size == (variant.width, variant.height)
    assert picture.mode in {"RGB", "L"}
    assert hashlib.sha256(variant.content).hexdigest() == variant.sha256
    segments = list(pictures.segments(variant.content))
    assert {marker for marker, _ in segments} <= PIXELS_ONLY
    assert [len(body) for marker, body in segments if marker == 0xE0] in ([], [14])
    assert not any(secret in variant.content for secret in pictures.SECRETS)


def assert_is_within_its_bounds(variant: RenderedVariant, width: int, height: int) -> None:
    recipe = next(recipe for recipe in RECIPES if recipe.variant == variant.name)
    assert len(variant.content) <= recipe.max_bytes
    assert variant.quality <= recipe.quality
    assert variant.width <= min(width, recipe.max_width)
    assert variant.height <= min(height, recipe.max_height)
    if not variant.shrunk:
        scale = min(1, recipe.max_width / width, recipe.max_height / height)
        assert abs(variant.width - width * scale) <= 1
        assert abs(variant.height - height * scale) <= 1


def assert_corners(content: bytes, *expected: tuple[int, ...], within: int = 12) -> None:
    for variant in variants(content).values():
        colours = pictures.colours_in_corners(variant.content)
        for colour, wanted in zip(colours, expected, strict=True):
            assert pictures.is_like(colour, wanted, within=within), (variant.name, colours)


@pytest.mark.parametrize(
    ("width", "height"),
    [(240, 160), (2000, 1500), (1500, 2000), (5000, 700), (700, 5000), (601, 599), (150, 150)],
)
def test_every_variant_is_within_its_box_and_its_cap(width: int, height: int) -> None:
    assert_corners(pictures.jpeg(pictures.corners(width, height)), *CORNERS)


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (1, 16_384), (16_384, 1), (3, 2)])
def test_the_narrowest_pictures_keep_at_least_one_pixel(size: tuple[int, int]) -> None:
    for content in (pictures.jpeg(Image.new("RGB", size)), pictures.png(Image.new("L", size))):
        assert min(v.width * v.height for v in variants(content).values()) >= 1


@pytest.mark.parametrize("size", [(1, 1), (90, 60), (149, 150), (500, 400)])
def test_a_small_picture_is_never_enlarged(size: tuple[int, int]) -> None:
    made = variants(pictures.png(pictures.corners(*size)))
    assert (made["original"].width, made["original"].height) == size
    assert all(made[name].width <= size[0] for name in made)


@pytest.mark.parametrize("size", [(240, 160), (2000, 1500), (1500, 2000)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_becomes_upright(orientation: int, size: tuple[int, int]) -> None:
    content = pictures.oriented(orientation, *size)
    assert_corners(content, *CORNERS)
    rendering = render(content, "image/jpeg", Limits())
    assert (rendering.width, rendering.height) == size


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    assert_corners(pictures.oriented(orientation), *CORNERS)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_orientation_counts_in_other_formats_too(kind: str) -> None:
    turned = pictures.opened(pictures.oriented(6))
    assert_corners(pictures.encoded(turned, kind, exif=turned.getexif(), quality=95), *CORNERS)


@pytest.mark.parametrize("size", [(200, 100), (2000, 1500)])
def test_nothing_that_a_phone_adds_is_left(size: tuple[int, int]) -> None:
    content = pictures.talkative(pictures.corners(*size))
    assert all(secret in content for secret in pictures.SECRETS)
    assert pictures.opened(content).getexif().get_ifd(0x8825)
    assert_corners(content, *CORNERS)


def test_the_same_original_becomes_the_same_bytes_every_time() -> None:
    content = pictures.jpeg(pictures.noise(1300, 1100))
    first, second = variants(content), variants(content)
    assert [first[name].content for name in first] == [second[name].content for name in second]


@pytest.mark.parametrize("kind", pictures.PLAIN)
def test_every_kind_of_file_keeps_its_colours(kind: str) -> None:
    assert_corners(pictures.PLAIN[kind](), *CORNERS)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_the_photo(kind: str) -> None:
    later = [Image.new("RGB", (240, 160), colour) for colour in ("black", "white")]
    content = pictures.encoded(
        pictures.corners(), kind, save_all=True, append_images=later, quality=95
    )
    assert pictures.opened(content).n_frames == 3  # type: ignore[attr-defined]
    assert_corners(content, *CORNERS)


@pytest.mark.parametrize("kind", pictures.GREYS)
def test_a_grey_picture_stays_as_light_as_it_was(kind: str) -> None:
    for variant in variants(pictures.GREYS[kind]()).values():
        picture = np.asarray(pictures.opened(variant.content).convert("L").resize((8, 8)))
        assert np.abs(picture.mean(axis=1) - np.arange(16, 256, 32)).max() < 24


@pytest.mark.parametrize("kind", pictures.TRANSPARENT)
def test_what_is_transparent_becomes_white(kind: str) -> None:
    assert_corners(pictures.TRANSPARENT[kind](), WHITE, GREEN, WHITE, YELLOW)


def test_half_transparent_colours_are_mixed_with_white() -> None:
    picture = Image.new("RGBA", (200, 200), (0, 0, 0, 128))
    assert_corners(pictures.png(picture), *[(127, 127, 127)] * 4, within=4)


def test_display_p3_becomes_the_same_colour_in_srgb() -> None:
    # The red of sRGB, as Display P3 writes it; as sRGB it would be visibly duller.
    picture = Image.new("RGB", (200, 200), (234, 51, 35))
    profile = pictures.icc_profile(pictures.P3_PRIMARIES, name="Display P3")
    for content in (
        pictures.jpeg(picture, icc_profile=profile),
        pictures.png(picture, icc_profile=profile),
        pictures.encoded(picture, "WEBP", icc_profile=profile, lossless=True),
    ):
        assert_corners(content, *[(255, 0, 0)] * 4, within=10)


def test_a_wide_profile_that_only_mentions_srgb_is_followed() -> None:
    picture = Image.new("RGB", (200, 200), (234, 51, 35))
    profile = pictures.icc_profile(pictures.P3_PRIMARIES, name="Display P3 with the sRGB curve")
    assert_corners(pictures.jpeg(picture, icc_profile=profile), *[(255, 0, 0)] * 4, within=10)


def test_a_profile_is_followed_and_not_only_dropped() -> None:
    swapped = pictures.icc_profile(tuple(reversed(pictures.SRGB_PRIMARIES)))
    content = pictures.png(icc_profile=swapped)
    assert_corners(content, RED[::-1], GREEN[::-1], BLUE[::-1], YELLOW[::-1])


@pytest.mark.parametrize("name", ["sRGB", "LAB", "XYZ"])
def test_a_profile_that_says_nothing_new_or_does_not_fit_changes_no_colour(name: Any) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()
    for content in (pictures.jpeg(icc_profile=profile), pictures.png(icc_profile=profile)):
        assert_corners(content, *CORNERS)


def test_a_profile_for_another_kind_of_pixels_is_ignored() -> None:
    for_rgb = pictures.icc_profile(pictures.P3_PRIMARIES)
    for_grey = for_rgb[:16] + b"GRAY" + for_rgb[20:]
    assert_corners(pictures.png(icc_profile=for_grey), *CORNERS)
    assert_corners(
        pictures.png(Image.new("L", (99, 99), 90), icc_profile=for_rgb), *[(90,) * 3] * 4
    )
    paper = pictures.jpeg(Image.new("CMYK", (99, 99)), icc_profile=for_rgb)
    assert_corners(paper, *[WHITE] * 4)


@pytest.mark.parametrize("profile", [b"not a profile", bytes(200), b"\xff" * 70_000])
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    assert_corners(pictures.jpeg(icc_profile=profile), *CORNERS)
    assert_corners(pictures.png(icc_profile=profile), *CORNERS)


def test_cmyk_becomes_rgb() -> None:
    content = pictures.jpeg(pictures.corners(800, 600).convert("CMYK"))
    for variant in variants(content).values():
        red, green, blue, yellow = pictures.colours_in_corners(variant.content)
        # Ink is duller than light, but it is the same colour.
        assert [red.index(max(red)), green.index(max(green)), blue.index(max(blue))] == [0, 1, 2]
        assert pictures.is_like(yellow, YELLOW, within=40)
    paper = Image.new("CMYK", (200, 200), (0, 0, 0, 0))
    assert_corners(pictures.jpeg(paper), *[WHITE] * 4)


def test_the_cap_costs_no_more_quality_than_it_must() -> None:
    picture = pictures.noise(3000, 2500, deviation=13)
    original = variants(pictures.png(picture, compress_level=1))["original"]
    assert (original.width, original.height) == (3000, 2500)
    assert LOWEST_QUALITY < original.quality < ORIGINAL.quality
    pixels = swap_channels(np.asarray(picture))
    assert encode_jpeg(pixels, original.quality) == original.content
    assert len(encode_jpeg(pixels, original.quality + 2)) > ORIGINAL.max_bytes


def test_a_thumbnail_has_codes_of_its_own_and_the_larger_ones_do_not() -> None:
    made = variants(pictures.jpeg(pictures.corners(1200, 900)))
    codes = {
        name: [body for marker, body in pictures.segments(variant.content) if marker == HUFFMAN]
        for name, variant in made.items()
    }
    assert codes["original"] == codes["medium"]
    assert len(b"".join(codes["thumbnail"])) < len(b"".join(codes["medium"]))


@pytest.mark.parametrize("size", [(80, 60), (600, 450), (1600, 1200)])
def test_every_cap_gets_the_highest_quality_that_meets_it_give_or_take_one(
    size: tuple[int, int],
) -> None:
    # Half calm, half wild, as photos are: what a sample must not overlook.
    calm, wild = pictures.noise(*size, deviation=4), pictures.noise(*size, deviation=90)
    calm.paste(wild.crop((0, 0, size[0], size[1] // 2)))
    picture = np.asarray(calm)
    pixels = swap_channels(picture)
    sizes = [len(encode_jpeg(pixels, quality)) for quality in range(LOWEST_QUALITY, 91)]
    for cap in np.linspace(sizes[0], sizes[-1], 12).astype(int):
        made = encode(pixels, _recipe(90, int(cap)))
        highest = LOWEST_QUALITY + bisect_right(sizes, cap) - 1
        assert highest - 1 <= made.quality <= highest
        assert len(made.content) <= cap


def test_below_the_lowest_quality_the_picture_shrinks_and_keeps_its_aspect() -> None:
    made = variants(pictures.png(pictures.noise(600, 500, deviation=250)))
    assert made["medium"].quality >= LOWEST_QUALITY
    assert made["medium"].width < MEDIUM.max_width
    assert made["medium"].shrunk
    assert abs(made["medium"].width / made["medium"].height - 1.2) < 0.01


def test_a_picture_has_until_its_deadline_between_steps() -> None:
    with pytest.raises(RenderTimedOut):
        render(pictures.jpeg(), "image/jpeg", Limits(deadline_seconds=0))


def _recipe(quality: int, max_bytes: int) -> Recipe:
    return Recipe(
        variant="medium", max_width=600, max_height=600, quality=quality, max_bytes=max_bytes
    )
