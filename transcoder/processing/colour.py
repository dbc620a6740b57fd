"""Colour: every picture becomes 8-bit sRGB, or 8-bit grey if that is all it has."""

from typing import Final

import pyvips

_GREY: Final = frozenset({"b-w", "grey16"})
_EIGHT_BIT_SRGB: Final = frozenset({"srgb", "b-w"})
_PROFILE: Final = "icc-profile-data"


def convert_colour(image: pyvips.Image) -> pyvips.Image:
    """The picture in sRGB, converted only where it is not already.

    The transform costs several times the decode: a profile that says it is sRGB is believed.
    """
    if image.get_typeof(_PROFILE) and not _is_srgb(image.get(_PROFILE)):
        try:
            return image.icc_transform("srgb", embedded=True, intent="perceptual", depth=8)
        except pyvips.Error:
            # A profile that is damaged or for another kind of picture: do as if there were none.
            image = image.copy()
            image.remove(_PROFILE)
    if image.interpretation in _EIGHT_BIT_SRGB and image.format == "uchar":
        return image
    return image.colourspace("b-w" if image.interpretation in _GREY else "srgb")


def _is_srgb(profile: object) -> bool:
    names = (b"sRGB", "sRGB".encode("utf-16-be"))
    return isinstance(profile, bytes) and any(name in profile for name in names)
