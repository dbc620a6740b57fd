"""Source colour: whatever in a file says what its numbers mean is followed, in the right order.

Bounds are slightly above the measured values, in CIEDE2000: 1 is just noticeable.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from tests.transcoder import pictures
from tests.transcoder.pictures import CORNERS, GREEN, WHITE, YELLOW
from tests.transcoder.processing import references
from tests.transcoder.processing.colour import colour_files, colour_formulas
from tests.transcoder.processing.colour.colour_files import chrm, cicp, gama, with_chunks, with_nclx
from tests.transcoder.processing.renditions import rendered, variant_of

STEPS: Final = np.arange(0, 256, 51, dtype=np.uint8)
COLOURS: Final = np.stack(np.meshgrid(STEPS, STEPS, STEPS), axis=-1).reshape(12, 18, 3)
GREYS: Final = np.arange(0, 256, 5, dtype=np.uint8)[None]
CHART: Final = references.chart(COLOURS)
GREY_CHART: Final = references.chart(GREYS)

P3_CODE, BT2020_CODE, BT709_CODE, UNSPECIFIED = 12, 9, 1, 2
SRGB_CURVE, LINEAR, GAMMA_22, BT709_CURVE = 13, 8, 4, 1
SRGB_CHUNK: Final = {b"sRGB": b"\0"}
SRGB_POINTS: Final = (0.3127, 0.3290, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
P3_POINTS: Final = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
BT2020_POINTS: Final = (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)


def seen(content: bytes) -> references.Values:
    """The colours of a chart in its largest variant."""
    return references.patches(pictures.opened(variant_of(rendered(content), "original").content))


def assert_colours(
    content: bytes, expected: references.Pixels, *, mean: float = 0.4, most: float = 2.5
) -> None:
    off = references.difference(seen(content), expected)
    assert off.mean() <= mean
    assert off.max() <= most


def assert_greys(
    content: bytes, expected: NDArray[np.integer | np.floating], *, within: float = 1.5
) -> None:
    assert np.abs(seen(content)[..., 1] - expected).max() <= within


def png_by_cicp(primaries: int, transfer: int) -> bytes:
    return with_chunks(pictures.png(CHART), {b"cICP": cicp(primaries, transfer)})


def deep_png_by_cicp(primaries: int, transfer: int) -> bytes:
    return colour_files.deep_png(np.asarray(CHART) / 255, {b"cICP": cicp(primaries, transfer)})


def avif_by_nclx(primaries: int, transfer: int) -> bytes:
    return with_nclx(colour_files.avif(CHART), primaries, transfer)


def heic_by_nclx(primaries: int, transfer: int) -> bytes:
    return with_nclx(colour_files.heic(CHART), primaries, transfer)


def deep_heic_by_nclx(primaries: int, transfer: int) -> bytes:
    return colour_files.deep_heic(np.asarray(CHART) / 255, primaries, transfer)


BY_CODES: Final[dict[str, Callable[[int, int], bytes]]] = {
    "PNG": png_by_cicp,
    "16-bit PNG": deep_png_by_cicp,
    "AVIF": avif_by_nclx,
    "HEIC": heic_by_nclx,
    "10-bit HEIC": deep_heic_by_nclx,
}


@pytest.mark.parametrize("kind", BY_CODES)
@pytest.mark.parametrize(
    ("primaries", "transfer", "name", "gamma"),
    [
        (P3_CODE, SRGB_CURVE, "Display P3", None),
        (P3_CODE, BT709_CURVE, "Display P3", None),
        (P3_CODE, UNSPECIFIED, "Display P3", None),
        (P3_CODE, GAMMA_22, "Display P3", 2.2),
        (BT2020_CODE, SRGB_CURVE, "BT.2020", None),
        (BT2020_CODE, 14, "BT.2020", None),
        (BT709_CODE, LINEAR, "sRGB", 1.0),
        (BT709_CODE, SRGB_CURVE, "sRGB", None),
        (BT709_CODE, BT709_CURVE, "sRGB", None),
        (UNSPECIFIED, UNSPECIFIED, "sRGB", None),
    ],
)
def test_code_points_are_followed(
    kind: str, primaries: int, transfer: int, name: str, gamma: float | None
) -> None:
    expected = colour_formulas.in_srgb(COLOURS, name, gamma=gamma)
    assert_colours(BY_CODES[kind](primaries, transfer), expected)


@pytest.mark.parametrize("kind", BY_CODES)
@pytest.mark.parametrize("codes", [(1, 17), (10, 13)])
def test_code_points_that_we_do_not_convert_are_ignored(kind: str, codes: tuple[int, int]) -> None:
    assert_colours(BY_CODES[kind](*codes), COLOURS)


@pytest.mark.parametrize("kind", BY_CODES)
@pytest.mark.parametrize("codes", [(0, 0), (3, 3), (255, 255)])
def test_reserved_code_points_are_ignored(kind: str, codes: tuple[int, int]) -> None:
    assert_colours(BY_CODES[kind](*codes), COLOURS)


@pytest.mark.parametrize(
    ("matrix", "red_share", "blue_share"),
    [(1, 0.2126, 0.0722), (2, 0.299, 0.114), (6, 0.299, 0.114), (9, 0.2627, 0.0593)],
)
@pytest.mark.parametrize("make", [colour_files.avif, colour_files.heic])
@pytest.mark.parametrize("meant", [(150, 100, 80), (90, 140, 120), (128, 128, 128)])
def test_matrix_coefficients_are_followed(
    make: Callable[[Image.Image], bytes],
    matrix: int,
    red_share: float,
    blue_share: float,
    meant: tuple[int, int, int],
) -> None:
    stored = bt601(*differences(meant, red_share, blue_share))
    content = with_nclx(make(Image.new("RGB", (96, 96), stored)), 1, SRGB_CURVE, matrix=matrix)
    assert np.abs(seen(content) - meant).max() <= 3


@pytest.mark.parametrize("make", [colour_files.avif, colour_files.heic])
def test_planes_that_are_green_blue_and_red_are_shown_as_such(
    make: Callable[[Image.Image], bytes],
) -> None:
    red, green, blue = 150, 120, 110
    stored = bt601(green, blue - 128, red - 128)
    content = with_nclx(make(Image.new("RGB", (96, 96), stored)), 1, SRGB_CURVE, matrix=0)
    assert np.abs(seen(content) - (red, green, blue)).max() <= 3


def differences(
    colour: tuple[int, int, int], red_share: float, blue_share: float
) -> tuple[float, float, float]:
    """Luma and the differences of blue and red from it, by ITU-T H.273."""
    red, green, blue = colour
    luma = red_share * red + (1 - red_share - blue_share) * green + blue_share * blue
    return luma, (blue - luma) / (2 * (1 - blue_share)), (red - luma) / (2 * (1 - red_share))


def bt601(luma: float, blue: float, red: float) -> tuple[int, int, int]:
    """The colour that has these differences in the matrix that encoders use."""
    green = luma - (0.299 * 1.402 * red + 0.114 * 1.772 * blue) / 0.587
    return round(luma + 1.402 * red), round(green), round(luma + 1.772 * blue)


def grey_heic_with_alpha(picture: Image.Image) -> bytes:
    """With an alpha channel that hides nothing."""
    return pictures.deep_grey_heic(picture, alpha=True)


def test_the_limited_range_of_colours_is_expanded() -> None:
    limited = colour_files.avif(CHART, range="limited")
    assert_colours(limited, COLOURS)


@pytest.mark.parametrize(
    "make", [colour_files.avif, colour_files.heic, pictures.deep_grey_heic, grey_heic_with_alpha]
)
def test_the_limited_range_of_greys_is_expanded(make: Callable[[Image.Image], bytes]) -> None:
    stored = Image.fromarray((16 + np.asarray(GREY_CHART) * (219 / 255)).round().astype(np.uint8))
    content = with_nclx(make(stored), 1, SRGB_CURVE, range_flag=colour_files.LIMITED)
    assert_greys(content, GREYS)
    assert_greys(with_nclx(make(GREY_CHART), 1, SRGB_CURVE), GREYS)


def test_the_limited_range_of_a_png_is_expanded() -> None:
    stored = (16 + np.asarray(CHART) * (219 / 255)).round() / 255
    chunks = {b"cICP": cicp(BT709_CODE, SRGB_CURVE, is_full=0)}
    shallow = Image.fromarray((stored * 255).round().astype(np.uint8))
    assert_colours(with_chunks(pictures.png(shallow), chunks), COLOURS, mean=0.5)
    assert_colours(colour_files.deep_png(stored * 255 / 256, chunks), COLOURS, mean=0.5)


@pytest.mark.parametrize("gamma", [1.0, 1.4, 1.8, 2.6])
@pytest.mark.parametrize("deep", [False, True])
def test_the_gamma_of_a_png_is_followed(gamma: float, deep: bool) -> None:  # noqa: FBT001
    chunks = {b"gAMA": gama(gamma)}
    content = (
        colour_files.deep_png(np.asarray(CHART) / 255, chunks)
        if deep
        else with_chunks(pictures.png(CHART), chunks)
    )
    assert_colours(content, colour_formulas.in_srgb(COLOURS, "sRGB", gamma=gamma))


@pytest.mark.parametrize("gamma", [1.0, 1.8])
@pytest.mark.parametrize("deep", [False, True])
def test_the_gamma_of_a_grey_png_is_followed(gamma: float, deep: bool) -> None:  # noqa: FBT001
    chunks = {b"gAMA": gama(gamma)}
    content = (
        colour_files.deep_png(np.asarray(GREY_CHART) / 255, chunks)
        if deep
        else with_chunks(pictures.png(GREY_CHART), chunks)
    )
    assert_greys(content, references.numbers((GREYS / 255) ** gamma))


@pytest.mark.parametrize("written", [45455, 45454, 45000, 46000, 44000])
def test_the_gamma_of_srgb_changes_nothing(written: int) -> None:
    content = with_chunks(pictures.png(CHART), {b"gAMA": written.to_bytes(4, "big")})
    assert_colours(content, COLOURS)


@pytest.mark.parametrize(
    ("points", "name"),
    [(P3_POINTS, "Display P3"), (BT2020_POINTS, "BT.2020"), (SRGB_POINTS, "sRGB")],
)
@pytest.mark.parametrize("gamma", [None, 1.0, 1.8, 2.2])
def test_the_chromaticities_of_a_png_are_followed(
    points: tuple[float, ...], name: str, gamma: float | None
) -> None:
    chunks = {b"cHRM": chrm(*points)} | ({b"gAMA": gama(gamma)} if gamma else {})
    expected = colour_formulas.in_srgb(COLOURS, name, gamma=gamma if gamma != 2.2 else None)
    assert_colours(with_chunks(pictures.png(CHART), chunks), expected)


WRONG_CHUNKS: Final[dict[str, dict[bytes, bytes]]] = {
    "no gamma": {b"gAMA": bytes(4)},
    "a huge gamma": {b"gAMA": b"\xff\xff\xff\xff"},
    "a tiny gamma": {b"gAMA": b"\0\0\0\1"},
    "a short gAMA": {b"gAMA": b"\0\1"},
    "a long gAMA": {b"gAMA": gama(1.0) + b"\0"},
    "no chromaticities": {b"cHRM": bytes(32)},
    "a short cHRM": {b"cHRM": chrm(*P3_POINTS)[:30]},
    "chromaticities of the largest numbers": {b"cHRM": b"\xff" * 32},
    "a white without luminance": {b"cHRM": chrm(0.3127, 0, *P3_POINTS[2:])},
    "a white that cannot be mixed": {b"cHRM": chrm(0.01, 0.9, *P3_POINTS[2:])},
    "primaries on a line": {b"cHRM": chrm(0.3, 0.3, 0.2, 0.2, 0.4, 0.4, 0.5, 0.5)},
    "three times the same primary": {b"cHRM": chrm(0.3, 0.3, *[0.64, 0.33] * 3)},
    "a short cICP": {b"cICP": cicp(P3_CODE, SRGB_CURVE)[:3]},
    "a cICP with a matrix": {b"cICP": cicp(P3_CODE, SRGB_CURVE, matrix=6)},
    "a cICP of reserved numbers": {b"cICP": cicp(0, 0)},
}


@pytest.mark.parametrize("case", WRONG_CHUNKS)
def test_nonsense_in_a_png_is_ignored(case: str) -> None:
    assert_colours(with_chunks(pictures.png(CHART), WRONG_CHUNKS[case]), COLOURS)


def test_a_damaged_chunk_is_ignored() -> None:
    content = with_chunks(pictures.png(CHART), {b"cICP": cicp(P3_CODE, SRGB_CURVE)})
    at = content.index(b"cICP") + 4
    assert_colours(content[:at] + b"\x09" + content[at + 1 :], COLOURS)


SWAPPED: Final = pictures.icc_profile(tuple(reversed(pictures.SRGB_PRIMARIES)))
CICP_CHUNK: Final = {b"cICP": cicp(P3_CODE, SRGB_CURVE)}
GAMA_CHUNK: Final = {b"gAMA": gama(1.0)}
CHRM_CHUNK: Final = {b"cHRM": chrm(*BT2020_POINTS)}


@pytest.mark.parametrize(
    ("chunks", "profile", "name", "gamma"),
    [
        (CICP_CHUNK | SRGB_CHUNK | GAMA_CHUNK | CHRM_CHUNK, SWAPPED, "Display P3", None),
        ({b"cICP": cicp(BT709_CODE, SRGB_CURVE)} | GAMA_CHUNK, SWAPPED, "sRGB", None),
        (SRGB_CHUNK | GAMA_CHUNK | CHRM_CHUNK, None, "sRGB", None),
        (GAMA_CHUNK | SRGB_CHUNK, None, "sRGB", None),
        (GAMA_CHUNK | CHRM_CHUNK, b"not a profile", "BT.2020", 1.0),
    ],
)
def test_the_chunks_of_a_png_have_the_order_of_the_standard(
    chunks: dict[bytes, bytes], profile: bytes | None, name: str, gamma: float | None
) -> None:
    options = {"icc_profile": profile} if profile else {}
    content = with_chunks(pictures.png(CHART, **options), chunks)
    assert_colours(content, colour_formulas.in_srgb(COLOURS, name, gamma=gamma))


def test_a_profile_in_a_png_goes_before_srgb_and_gamma() -> None:
    content = with_chunks(pictures.png(CHART, icc_profile=SWAPPED), SRGB_CHUNK | GAMA_CHUNK)
    meant = np.asarray(references.in_srgb(Image.fromarray(COLOURS), SWAPPED))
    assert_colours(content, meant)


def test_a_profile_in_an_avif_goes_before_its_code_points() -> None:
    content = colour_files.avif(CHART, icc_profile=SWAPPED)
    assert b"nclx" in content
    meant = np.asarray(references.in_srgb(Image.fromarray(COLOURS), SWAPPED))
    assert_colours(with_nclx(content, P3_CODE, SRGB_CURVE), meant)


@pytest.mark.parametrize("order", ["<", ">"])
def test_adobe_rgb_that_only_exif_tells_of_is_followed(order: str) -> None:
    exif = colour_files.exif_of_adobe_rgb(order=order)
    content = pictures.jpeg(CHART, quality=100, subsampling=0, exif=exif)
    assert_colours(content, colour_formulas.in_srgb(COLOURS, "Adobe RGB", gamma=563 / 256))


@pytest.mark.parametrize(
    "exif",
    [
        colour_files.exif_of_adobe_rgb(colour_space=1),
        colour_files.exif_of_adobe_rgb(index=b"R98"),
        colour_files.exif_of_adobe_rgb(index=b"\xff\xfe\xfd"),
        colour_files.exif_of_adobe_rgb()[:70],
        colour_files.exif_of_adobe_rgb()[:40],
        b"Exif\0\0" + b"\xff" * 200,
    ],
)
def test_other_and_damaged_exif_changes_no_colour(exif: bytes) -> None:
    content = pictures.jpeg(CHART, quality=100, subsampling=0, exif=exif)
    assert_colours(content, COLOURS)


def test_a_profile_goes_before_exif() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = colour_files.exif_of_adobe_rgb()
    content = pictures.jpeg(CHART, quality=100, subsampling=0, exif=exif, icc_profile=profile)
    assert_colours(content, COLOURS)


@pytest.mark.parametrize("is_multiplied", [True, False])
@pytest.mark.parametrize("make", [colour_files.half_clear_avif, colour_files.half_clear_heic])
def test_colours_multiplied_by_alpha_are_divided_by_it_again(
    make: Callable[..., bytes],
    is_multiplied: bool,  # noqa: FBT001
) -> None:
    content = make((200, 100, 40), is_multiplied=is_multiplied)
    assert (b"prem" in content) == is_multiplied
    expected = [255 - (255 - part) * 128 / 255 for part in (200, 100, 40)]
    assert np.abs(seen(content) - expected).max() <= 3


def test_exif_after_the_pixels_of_a_png_turns_it() -> None:
    turned = pictures.opened(pictures.oriented(6))
    content = late_exif_png(turned.getexif().tobytes(), turned)
    rendering = rendered(content)
    assert (rendering.width, rendering.height) == (240, 160)
    colours = pictures.colours_in_corners(variant_of(rendering, "original").content)
    assert all(map(pictures.is_like, colours, CORNERS))
    assert rendering.variants[0].removed_metadata == ("exif",)


def late_exif_png(exif: bytes, picture: Image.Image | None = None) -> bytes:
    """A PNG with EXIF between its pixels and its end."""
    content = pictures.png(picture)
    return content[:-12] + colour_files.chunk(b"eXIf", exif) + content[-12:]


@pytest.mark.parametrize(
    "exif",
    [b"", b"II", b"\xff" * 300, bytes(100_000), colour_files.exif_of_adobe_rgb(index=b"\xff\xff")],
)
def test_nonsense_after_the_pixels_of_a_png_is_ignored(exif: bytes) -> None:
    colours = pictures.colours_in_corners(
        variant_of(rendered(late_exif_png(exif)), "original").content
    )
    assert all(map(pictures.is_like, colours, CORNERS))


def test_alpha_of_a_wide_picture_is_blended_with_white() -> None:
    content = with_chunks(
        pictures.png(pictures.half_transparent()), {b"cICP": cicp(P3_CODE, SRGB_CURVE)}
    )
    white, green, below, yellow = pictures.colours_in_corners(
        variant_of(rendered(content), "original").content
    )
    assert white == below == WHITE
    for made, stored in ((green, GREEN), (yellow, YELLOW)):
        meant = colour_formulas.in_srgb(np.array([[stored]], np.uint8), "Display P3")[0, 0]
        assert pictures.is_like(made, tuple(meant.tolist()), within=6)
