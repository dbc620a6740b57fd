"""Colour: every picture becomes 8-bit sRGB, or 8-bit grey if that is all it has.

libvips and LittleCMS define what a profile means. To convert every pixel of a phone's photo with
them costs twice as much as decoding and encoding it, so they convert a few thousand colours, and
OpenCV applies the same mapping to the pixels. A colour space without a profile has formulas.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache, lru_cache, partial
from typing import Any, Final, TypeAlias, cast

import cv2
import numpy as np
import pyvips

from domain.recipes import MEGAPIXEL
from transcoder.processing.colour.colour_space import ColourSpace, SourceColour
from transcoder.processing.colour.icc import GREY, PROFILE, profile_of
from transcoder.processing.colour.matrix_shaper import RAMPS, MatrixShaper
from transcoder.processing.colour.srgb import light_to_srgb
from transcoder.processing.colour.tone_mapping import map_tones
from transcoder.processing.picture import (
    AnyPicture,
    Picture,
    from_libvips,
    is_grey,
    levels_of,
    room_for_8_bits,
    swap_channels,
    to_libvips,
)

_STANDARD: Final = frozenset({"srgb", "b-w"})
# Of 255: how far a profile may be from sRGB and still count as sRGB, and how far our conversion of
# the sampled colours may be from that of LittleCMS; all others are then within twice that.
_SAME, _CLOSE = 2, 1
# The sampled colours: every combination of these levels of red, green and blue.
_STEPS: Final = np.linspace(0, 255, 18).round().astype(np.uint8)
_COLOURS: Final = np.stack(np.meshgrid(_STEPS, _STEPS, _STEPS), axis=-1).reshape(18, -1, 3)
# Lab is exact in the dark and ends before the greenest green; XYZ is the other way round.
_CONNECTION_SPACES: Final = ("lab", "xyz")
_STRIP_PIXELS: Final = 4 * MEGAPIXEL
_GREYS: Final = np.arange(256, dtype=np.uint8).reshape(1, 256)

Conversion: TypeAlias = Callable[[Picture], Picture]


def convert_colour(picture: AnyPicture, colour: SourceColour) -> Picture:
    """Convert to 8-bit sRGB; return the same picture if it is that already."""
    if isinstance(colour, ColourSpace):
        return _by_formula(picture, colour)
    eight_bits = cast("Picture", picture)
    return _conversion(colour, grey=is_grey(picture))(eight_bits) if colour else eight_bits


def is_standard(image: pyvips.Image) -> bool:
    """Whether the pixels are 8-bit RGB or grey, with or without alpha."""
    return image.interpretation in _STANDARD and image.format == "uchar"


def standardise(image: pyvips.Image) -> pyvips.Image:
    """Convert any other picture (CMYK, Lab, 16 bits …) to 8-bit sRGB or grey by its profile."""
    if is_standard(image):
        return image
    if profile_of(image):
        # Ignore a damaged profile.
        with suppress(pyvips.Error):
            return _transformed(image)
    # Drop the profile: libvips would apply even one for another colour space.
    image = image.copy()
    image.remove(PROFILE)
    return image.colourspace("b-w" if image.interpretation in GREY else "srgb")


@lru_cache(maxsize=8)
def _conversion(profile: bytes, *, grey: bool) -> Conversion:
    """The cheapest conversion with the result of LittleCMS; none for a damaged profile."""
    try:
        return _of_grey(profile) if grey else _of_colour(profile)
    except pyvips.Error:
        return _unchanged


def _by_formula(picture: AnyPicture, space: ColourSpace) -> Picture:
    if space.is_hdr:
        return map_tones(picture, space)
    levels = levels_of(picture)
    if is_grey(picture):
        table = light_to_srgb(space.light(levels)).round().astype(np.uint8)
        return cv2.LUT(picture, table[None])  # type: ignore[return-value]
    return _shaper_of(space, levels)(picture)


@lru_cache(maxsize=8)
def _shaper_of(space: ColourSpace, levels: int) -> MatrixShaper:
    return MatrixShaper.of_space(space, levels=levels)


def _of_grey(profile: bytes) -> Conversion:
    table = _by_libvips(_GREYS, profile)[0, :, 1]
    return lambda picture: cv2.LUT(picture, table)  # type: ignore[return-value]


def _of_colour(profile: bytes) -> Conversion:
    exact = partial(_by_libvips, profile=profile)
    expected = exact(_COLOURS)
    if _is_close(_COLOURS, expected, within=_SAME):
        return _unchanged
    for space in _CONNECTION_SPACES:
        shaper = MatrixShaper.of(_light_of_ramps(profile, space), _light_of_ramps_in_srgb(space))
        if _is_close(shaper(_COLOURS.copy()), expected, within=_CLOSE):
            return shaper
    return partial(_strip_by_strip, exact)


def _strip_by_strip(convert: Conversion, picture: Picture) -> Picture:
    """Convert a few megapixels at a time, because libvips and its channel order need copies."""
    converted = room_for_8_bits(picture)
    rows = max(1, _STRIP_PIXELS // picture.shape[1])
    for top in range(0, len(picture), rows):
        converted[top : top + rows] = convert(picture[top : top + rows])
    return converted


def _is_close(colours: Picture, expected: Picture, *, within: int) -> bool:
    return bool(np.abs(colours.astype(int) - expected).max() <= within)


def _unchanged(picture: Picture) -> Picture:
    return picture


def _by_libvips(picture: Picture, profile: bytes) -> Picture:
    return swap_channels(from_libvips(_transformed(_with_profile(picture, profile))))


def _light_of_ramps(profile: bytes, space: str) -> pyvips.Image:
    """The ramps in CIE XYZ, through a profile connection space."""
    image = _with_profile(RAMPS, profile)
    light = image.icc_import(embedded=True, pcs=space, intent="relative")
    return light.Lab2XYZ() if space == "lab" else light


@cache
def _light_of_ramps_in_srgb(space: str) -> pyvips.Image:
    srgb = pyvips.Operation.call("profile_load", "srgb")
    return _light_of_ramps(srgb, space).copy_memory()


def _with_profile(picture: Picture, profile: bytes) -> pyvips.Image:
    image = to_libvips(swap_channels(picture))
    blob: Any = profile
    image.set_type(pyvips.GValue.blob_type, PROFILE, blob)
    return image


def _transformed(image: pyvips.Image) -> pyvips.Image:
    return image.icc_transform("srgb", embedded=True, intent="perceptual", depth=8)
