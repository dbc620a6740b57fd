"""The colour of a HEIC or AVIF by its `nclx` box; an ICC profile goes before it, as in browsers."""

from typing import Any

from transcoder.processing.colour.code_points import by_code_points
from transcoder.processing.colour.colour_space import ColourSpace
from transcoder.processing.heif.header import open_heif


def heif_colour(content: bytes) -> ColourSpace | None:
    """The colour space of the primary image; None if nothing says what it is.

    Raises:
        CorruptImage: the header is invalid.
    """
    primary = open_heif(content)
    nclx: dict[str, Any] | None = primary.info.get("nclx_profile")
    if nclx is None:
        return None
    # libheif expands the limited range as it converts to RGB, but not that of greys.
    is_grey = primary.info.get("chroma") is None
    return by_code_points(
        nclx["color_primaries"],
        nclx["transfer_characteristics"],
        is_limited=is_grey and not nclx["full_range_flag"],
    )
