"""The header of a HEIC or AVIF, as pillow-heif reads it."""

import re
from typing import Final

import pillow_heif
from pillow_heif import options

from transcoder.processing.failure import failure_of
from transcoder.processing.heif.libheif import HeifError

_EIGHT_BITS: Final = 8
# What pillow-heif says of reserved code points, and where they are: primaries, transfer, matrix.
_RESERVED: Final = "Unknown NCLX"
_CODE_POINTS: Final = re.compile(rb"(?<=colrnclx).{6}", re.DOTALL)
_UNSPECIFIED: Final = bytes((0, 2, 0, 2, 0, 2))
# The type of the reference from an image multiplied by its alpha.
_PREMULTIPLIED: Final = b"prem"
ERRORS: Final = (ValueError, EOFError, SyntaxError, RuntimeError, OSError, HeifError)

# Decode the primary image only.
options.THUMBNAILS = False
options.DEPTH_IMAGES = False
options.AUX_IMAGES = False


def open_heif(content: bytes) -> pillow_heif.HeifFile:
    """Open a file within the limits of libheif; its pixels are decoded on demand.

    Raises:
        CorruptImage: the header is invalid.
        TooComplex: it has more parts than libheif accepts.
    """
    try:
        return _open(content)
    except ERRORS as error:
        raise failure_of(error) from error


def _open(content: bytes) -> pillow_heif.HeifFile:
    """Open it even if its code points are reserved ones, which the decoders ignore."""
    try:
        return pillow_heif.open_heif(content)
    except ValueError as error:
        if _RESERVED not in str(error):
            raise
    return pillow_heif.open_heif(_CODE_POINTS.sub(_UNSPECIFIED, content))


def is_deep(primary: pillow_heif.HeifFile) -> bool:
    """Whether it has more than 8 bits a sample."""
    return bool(primary.info.get("bit_depth", _EIGHT_BITS) > _EIGHT_BITS)


def is_premultiplied(content: bytes) -> bool:
    """Whether the colours of the primary image are multiplied by its alpha."""
    return _PREMULTIPLIED in content and open_heif(content).premultiplied_alpha
