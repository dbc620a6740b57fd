"""Colour: every picture becomes 8-bit sRGB, or 8-bit grey if that is all it has."""

from contextlib import suppress
from typing import Final

import pyvips

_GREY: Final = frozenset({"b-w", "grey16"})
_EIGHT_BIT_SRGB: Final = frozenset({"srgb", "b-w"})
_PROFILE: Final = "icc-profile-data"
# Where a profile says which kind of pixels it is for.
_SPACE: Final = slice(16, 20)
_SRGB_NAMES: Final = (b"sRGB", "sRGB".encode("utf-16-be"))
# X, Y, Z of red and green in sRGB; those of wide profiles are further away than `_CLOSE`.
_SRGB_PRIMARIES: Final = {b"rXYZ": (0.4361, 0.2225, 0.0139), b"gXYZ": (0.3851, 0.7169, 0.0971)}
_CLOSE: Final = 0.05
# The header of a profile ends and its table of tags begins here; numbers have 16 binary places.
_TAGS_AT: Final = 128
_ONE: Final = 1 << 16


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
    """Whether there is a profile for such pixels, and it is not that of sRGB."""
    profile = image.get(_PROFILE) if image.get_typeof(_PROFILE) else b""
    return isinstance(profile, bytes) and _is_for(image, profile) and not _is_srgb(profile)


def _is_for(image: pyvips.Image, profile: bytes) -> bool:
    """Whether the profile is for such pixels; libvips would follow one for Lab to plain white."""
    if image.interpretation in _GREY:
        return profile[_SPACE] == b"GRAY"
    return profile[_SPACE] == (b"CMYK" if image.interpretation == "cmyk" else b"RGB ")


def _is_srgb(profile: bytes) -> bool:
    """Whether it says so and means it: wide profiles mention sRGB too, for its curve."""
    return any(name in profile for name in _SRGB_NAMES) and all(
        _is_close(_primary(profile, tag), primary) for tag, primary in _SRGB_PRIMARIES.items()
    )


def _primary(profile: bytes, tag: bytes) -> tuple[float, ...] | None:
    """X, Y, Z of one primary, or None where the profile has tables instead."""
    entry = profile.find(tag, _TAGS_AT)
    if entry < 0:
        return None
    offset = int.from_bytes(profile[entry + 4 : entry + 8], "big") + 8
    numbers = (profile[at : at + 4] for at in range(offset, offset + 12, 4))
    return tuple(int.from_bytes(number, "big", signed=True) / _ONE for number in numbers)


def _is_close(primary: tuple[float, ...] | None, expected: tuple[float, ...]) -> bool:
    if primary is None:
        return True
    return all(abs(a - b) < _CLOSE for a, b in zip(primary, expected, strict=True))
