"""Colour: every picture becomes 8-bit sRGB, or 8-bit grey if that is all it has."""

from contextlib import suppress
from typing import Final

import pyvips

_GREY: Final = frozenset({"b-w", "grey16"})
_EIGHT_BIT_SRGB: Final = frozenset({"srgb", "b-w"})
_PROFILE: Final = "icc-profile-data"
# Where a profile says which kind of pixels it is for.
_SPACE: Final = slice(16, 20)


def convert_colour(image: pyvips.Image) -> pyvips.Image:
    """The picture in sRGB, converted only where it is not already.

    The transform costs several times the decode: a profile that says it is sRGB is believed.
    """
    if _says_something_new(image):
        # A damaged one is as good as none.
        with suppress(pyvips.Error):
            return image.icc_transform("srgb", embedded=True, intent="perceptual", depth=8)
    if image.interpretation in _EIGHT_BIT_SRGB and image.format == "uchar":
        return image
    # Without the profile: what did not fit above would be followed here.
    image = image.copy()
    image.remove(_PROFILE)
    return image.colourspace("b-w" if image.interpretation in _GREY else "srgb")


def _says_something_new(image: pyvips.Image) -> bool:
    """Whether there is a profile for such pixels, and it is not sRGB."""
    profile = image.get(_PROFILE) if image.get_typeof(_PROFILE) else b""
    return isinstance(profile, bytes) and _is_for(image, profile) and not _is_srgb(profile)


def _is_for(image: pyvips.Image, profile: bytes) -> bool:
    """Whether the profile is for such pixels; libvips would follow one for Lab to plain white."""
    if image.interpretation in _GREY:
        return profile[_SPACE] == b"GRAY"
    return profile[_SPACE] == (b"CMYK" if image.interpretation == "cmyk" else b"RGB ")


def _is_srgb(profile: bytes) -> bool:
    names = (b"sRGB", "sRGB".encode("utf-16-be"))
    return any(name in profile for name in names)
