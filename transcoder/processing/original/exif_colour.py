"""The colour that only EXIF tells of: Adobe RGB, as cameras flag it by DCF.

A camera that is set to Adobe RGB calls its colour space uncalibrated, writes R03 as the index of
interoperability, and embeds no profile.
"""

from contextlib import suppress
from typing import Final

import pyvips

from transcoder.processing.colour.colour_space import ColourSpace
from transcoder.processing.colour.primaries import ADOBE_RGB

_COLOUR_SPACE: Final = "exif-ifd2-ColorSpace"
_INTEROPERABILITY: Final = "exif-ifd4-InteroperabilityIndex"
_UNCALIBRATED: Final = "65535"
_ADOBE_RGB: Final = ColourSpace(primaries=ADOBE_RGB, transfer=563 / 256)


def exif_colour(header: pyvips.Image) -> ColourSpace | None:
    """Adobe RGB if the file is flagged so; None otherwise, and if EXIF is absent or damaged."""
    is_uncalibrated = _value(header, _COLOUR_SPACE) == _UNCALIBRATED
    is_adobe_rgb = is_uncalibrated and _value(header, _INTEROPERABILITY) == "R03"
    return _ADOBE_RGB if is_adobe_rgb else None


def _value(header: pyvips.Image, field: str) -> str:
    """The first word that libvips has for a tag: what follows explains it."""
    # A damaged tag may be no text.
    with suppress(UnicodeDecodeError):
        text = header.get(field) if header.get_typeof(field) else ""
        return str(text).partition(" ")[0]
    return ""
