"""Tone mapping: HDR keeps its diffuse white, its colours below it and the shape of its highlights.

Light is relative to diffuse white, which is 203 cd/m² in PQ and 75 % in HLG.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.transcoder import pictures
from tests.transcoder.processing import references
from tests.transcoder.processing.colour import colour_files, colour_formulas
from tests.transcoder.processing.colour.colour_files import cicp, with_chunks
from tests.transcoder.processing.renditions import rendered, variant_of

Values = NDArray[np.float64]

BT2020_CODE, PQ, HLG = 9, 16, 18
STEPS: Final = np.arange(0, 256, 51)
COLOURS: Final = np.stack(np.meshgrid(STEPS, STEPS, STEPS), axis=-1).reshape(12, 18, 3)
LIGHT: Final = references.light(COLOURS)
PEAK: Final = 1000 / 203


def in_patches(numbers: Values) -> Values:
    return numbers.repeat(references.PATCH, axis=0).repeat(references.PATCH, axis=1)


def pq_png(light: Values) -> bytes:
    return colour_files.deep_png(
        in_patches(colour_formulas.in_pq(light)), {b"cICP": cicp(BT2020_CODE, PQ)}
    )


def pq_heic(light: Values) -> bytes:
    return colour_files.deep_heic(in_patches(colour_formulas.in_pq(light)), BT2020_CODE, PQ)


def pq_avif(light: Values) -> bytes:
    return colour_files.deep_avif(in_patches(colour_formulas.in_pq(light)), BT2020_CODE, PQ)


def hlg_png(light: Values) -> bytes:
    return colour_files.deep_png(
        in_patches(colour_formulas.in_hlg(light)), {b"cICP": cicp(BT2020_CODE, HLG)}
    )


def hlg_heic(light: Values) -> bytes:
    return colour_files.deep_heic(in_patches(colour_formulas.in_hlg(light)), BT2020_CODE, HLG)


def hlg_avif(light: Values) -> bytes:
    return colour_files.deep_avif(in_patches(colour_formulas.in_hlg(light)), BT2020_CODE, HLG)


IN_PQ: Final[dict[str, Callable[[Values], bytes]]] = {
    "PNG": pq_png,
    "HEIC": pq_heic,
    "AVIF": pq_avif,
    "12-bit AVIF": lambda light: colour_files.deep_avif(
        in_patches(colour_formulas.in_pq(light)), BT2020_CODE, PQ, bits=12
    ),
}
IN_HLG: Final[dict[str, Callable[[Values], bytes]]] = {
    "PNG": hlg_png,
    "HEIC": hlg_heic,
    "AVIF": hlg_avif,
}


def seen(content: bytes) -> Values:
    return references.patches(pictures.opened(variant_of(rendered(content), "original").content))


def greys(*light: float) -> Values:
    return np.array([[[part] * 3 for part in light]])


@pytest.mark.parametrize("kind", IN_PQ)
def test_what_is_no_brighter_than_white_stays_as_it_is(kind: str) -> None:
    off = references.difference(seen(IN_PQ[kind](LIGHT)), COLOURS)
    assert off.mean() <= 0.5
    assert off.max() <= 2.5


@pytest.mark.parametrize("peak", [1.5, 2.5, PEAK])
@pytest.mark.parametrize("kind", IN_PQ)
def test_highlights_are_compressed_as_bt2390_says(kind: str, peak: float) -> None:
    light = np.linspace(0, peak, 25)
    expected = [colour_formulas.bt2390(part, peak) for part in light]
    shown = seen(IN_PQ[kind](greys(*light)))
    assert np.abs(shown[0, :, 1] - references.numbers(np.array(expected))).max() <= 3


@pytest.mark.parametrize("kind", IN_HLG)
def test_hlg_is_shown_as_on_the_nominal_screen(kind: str) -> None:
    scene = np.array([0.0, 0.01, 0.05, 0.18, 0.5, 0.8, 1.0, 2.0, 3.0, 3.77])
    # BT.2100: a grey of the scene is shown by the system gamma of a screen of 1000 cd/m².
    expected = [colour_formulas.bt2390(part**1.2, PEAK) for part in scene]
    shown = seen(IN_HLG[kind](greys(*scene)))
    assert np.abs(shown[0, :, 1] - references.numbers(np.array(expected))).max() <= 3


def test_what_is_brighter_than_the_nominal_screen_is_white_and_darkens_nothing_more() -> None:
    bright = seen(pq_png(greys(0.2, 1.0, PEAK, 15.0, 40.0)))[0, :, 1]
    nominal = seen(pq_png(greys(0.2, 1.0, PEAK)))[0, :, 1]
    assert np.abs(bright[:3] - nominal).max() <= 1
    assert bright[2:].min() >= 254


def test_a_speck_of_light_darkens_nothing() -> None:
    light = np.full((600, 600, 3), 0.9)
    light[300:304, 300:304] = PEAK
    numbers = colour_formulas.in_pq(light)
    content = deep_png(numbers)
    original = pictures.opened(variant_of(rendered(content), "original").content)
    corner = np.asarray(original)[:100, :100].mean()
    assert corner == pytest.approx(references.numbers(np.array(0.9)), abs=1.5)


@pytest.mark.parametrize("colour", [(1.0, 0.0, 0.0), (1.0, 0.5, 0.1), (0.2, 0.4, 1.0)])
@pytest.mark.parametrize("make", [pq_png, hlg_png])
def test_bright_colours_keep_their_hue(
    colour: tuple[float, float, float], make: Callable[[Values], bytes]
) -> None:
    shown = seen(make(np.array([[np.array(colour) * 3.5, [0.2] * 3]])))[0, 0]
    hues = references.lab(np.array([shown, references.numbers(np.array(colour))]))[:, 1:]
    one, other = np.arctan2(hues[:, 1], hues[:, 0])
    assert abs(np.degrees(one - other)) <= 4


def deep_png(numbers: Values) -> bytes:
    return colour_files.deep_png(numbers, {b"cICP": cicp(BT2020_CODE, PQ)})


def deep_heic(numbers: Values) -> bytes:
    return colour_files.deep_heic(numbers, BT2020_CODE, PQ)


def deep_avif(numbers: Values) -> bytes:
    return colour_files.deep_avif(numbers, BT2020_CODE, PQ)


@pytest.mark.parametrize("make", [deep_png, deep_heic, deep_avif])
@pytest.mark.parametrize("width", [3000, 5000])
def test_a_smooth_wall_has_no_bands(make: Callable[[Values], bytes], width: int) -> None:
    ramp = np.linspace(0.5, 1.0, width)
    # Grey: its three channels change at the same places.
    light = np.broadcast_to(ramp[None, :, None], (64, width, 3))
    content = make(colour_formulas.in_pq(light))
    shown = np.asarray(pictures.opened(variant_of(rendered(content), "original").content))[20]
    # Rounded to 8 bits before the conversion, many levels would be missing.
    levels = np.unique(shown[:, 1])
    assert len(levels) >= 0.9 * (int(levels[-1]) - int(levels[0]))


def test_a_grey_picture_in_pq_is_mapped_too() -> None:
    light = np.linspace(0, PEAK, 20)
    numbers = in_patches(np.vectorize(colour_formulas.pq)(light * 203)[None])
    content = colour_files.deep_png(numbers, {b"cICP": cicp(BT2020_CODE, PQ)})
    expected = [colour_formulas.bt2390(part, PEAK) for part in light]
    assert np.abs(seen(content)[0, :, 1] - references.numbers(np.array(expected))).max() <= 3


def test_eight_bits_of_pq_are_mapped_too() -> None:
    numbers = in_patches(colour_formulas.in_pq(LIGHT))
    picture = Image.fromarray((numbers * 255).round().astype(np.uint8))
    content = with_chunks(pictures.png(picture), {b"cICP": cicp(BT2020_CODE, PQ)})
    assert references.difference(seen(content), COLOURS).mean() <= 2


@pytest.mark.parametrize("kind", ["PNG", "HEIC"])
@pytest.mark.parametrize(("transfer", "to_numbers"), [(PQ, "in_pq"), (HLG, "in_hlg")])
def test_transparent_parts_become_as_white_as_paper(
    kind: str, transfer: int, to_numbers: str
) -> None:
    opaque: Any = getattr(colour_formulas, to_numbers)(greys(0.5, 0.5, 1.0, 1.0))
    alpha = np.array([[[0.0], [1.0], [0.0], [1.0]]])
    numbers = in_patches(np.concatenate([opaque, alpha], axis=-1))
    content = (
        colour_files.deep_heic(numbers, BT2020_CODE, transfer)
        if kind == "HEIC"
        else colour_files.deep_png(numbers, {b"cICP": cicp(BT2020_CODE, transfer)})
    )
    shown = seen(content)
    assert shown[0, [0, 2, 3]].min() >= 253
    assert shown[0, 1].max() <= 200


def test_a_profile_that_names_pq_is_mapped_like_its_code_points() -> None:
    profile = colour_files.with_cicp_tag(
        pictures.icc_profile(pictures.SRGB_PRIMARIES), primaries=BT2020_CODE, transfer=PQ
    )
    numbers = in_patches(colour_formulas.in_pq(LIGHT))
    off = references.difference(seen(colour_files.deep_png_with_profile(numbers, profile)), COLOURS)
    assert off.mean() <= 0.5


def test_a_profile_that_names_sdr_is_followed_by_its_curves() -> None:
    swapped = pictures.icc_profile(tuple(reversed(pictures.SRGB_PRIMARIES)))
    profile = colour_files.with_cicp_tag(swapped, primaries=1, transfer=13)
    colours = pictures.colours_in_corners(
        variant_of(rendered(pictures.png(icc_profile=profile)), "original").content
    )
    expected = [corner[::-1] for corner in pictures.CORNERS]
    assert all(map(pictures.is_like, colours, expected))


@pytest.mark.parametrize("cut", [1, 100, 140, 200])
def test_a_profile_that_ends_early_changes_nothing(cut: int) -> None:
    profile = colour_files.with_cicp_tag(
        pictures.icc_profile(pictures.SRGB_PRIMARIES), primaries=BT2020_CODE, transfer=PQ
    )
    colours = pictures.colours_in_corners(
        variant_of(rendered(pictures.png(icc_profile=profile[:-cut])), "original").content
    )
    assert len(colours) == len(pictures.CORNERS)
