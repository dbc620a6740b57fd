"""ICC profiles: the one that a file embeds, and the HDR that some stand for."""

import struct
from typing import Final

import pyvips

from transcoder.processing.colour.code_points import by_code_points
from transcoder.processing.colour.colour_space import ColourSpace

PROFILE: Final = "icc-profile-data"
GREY: Final = frozenset({"b-w", "grey16"})
# The fields of a profile with the colour space of its pixels and the number of its tags.
_SPACE, _TAGS = slice(16, 20), 128
_MOST_TAGS: Final = 100
_CICP: Final = struct.Struct(">8x4B")


def profile_of(image: pyvips.Image) -> bytes | None:
    """The embedded profile, if it is for the image's colour space; libvips would apply any."""
    profile = image.get(PROFILE) if image.get_typeof(PROFILE) else b""
    if image.interpretation in GREY:
        space = b"GRAY"
    else:
        space = b"CMYK" if image.interpretation == "cmyk" else b"RGB "
    return profile if isinstance(profile, bytes) and profile[_SPACE] == space else None


def hdr_space(profile: bytes) -> ColourSpace | None:
    """The HDR colour space that a profile names in its `cicp` tag, as browsers follow it.

    Its curves or tables are for software without HDR, and darker than diffuse white at 203 cd/m².
    """
    try:
        (count,) = struct.unpack_from(">I", profile, _TAGS)
        for at in range(_TAGS + 4, _TAGS + 4 + 12 * min(count, _MOST_TAGS), 12):
            name, offset, _ = struct.unpack_from(">4s2I", profile, at)
            if name == b"cicp":
                primaries, transfer, *_ = _CICP.unpack_from(profile, offset)
                space = by_code_points(primaries, transfer)
                return space if space and space.is_hdr else None
    except struct.error:
        # The profile ends before its tags do.
        pass
    return None
