"""The colour of a PNG: the chunks that say what its numbers mean, in the order of the standard.

cICP goes before iCCP, iCCP before sRGB, and sRGB before gAMA and cHRM (W3C PNG, third edition).
"""

import struct
from typing import Final

from transcoder.processing.colour.code_points import by_code_points
from transcoder.processing.colour.colour_space import ColourSpace
from transcoder.processing.colour.primaries import BT709, Primaries
from transcoder.processing.colour.transfer import Transfer
from transcoder.processing.png.chunks import chunks_before_pixels

_NAMES: Final = frozenset({b"cICP", b"sRGB", b"gAMA", b"cHRM"})
_CICP_BYTES, _GAMA_BYTES = 4, 4
_CHRM: Final = struct.Struct(">8I")
_RGB_MATRIX: Final = 0
_HUNDRED_THOUSANDTHS: Final = 100_000
# libpng's bound for a gamma, and how far from sRGB's one has to be to count.
_LEAST_GAMMA, _MOST_GAMMA = 0.01, 100.0
_SRGB_GAMMA, _SAME_GAMMA = 2.2, 0.05


def png_colour(content: bytes, profile: bytes | None) -> bytes | ColourSpace | None:
    """The embedded profile or the colour space of a file; None if nothing says what it is."""
    chunks = chunks_before_pixels(content, _NAMES)
    by_code = _by_cicp(chunks.get(b"cICP", b""))
    if by_code or profile:
        return by_code or profile
    if b"sRGB" in chunks:
        return ColourSpace()
    return _by_numbers(chunks) if b"gAMA" in chunks or b"cHRM" in chunks else None


def _by_cicp(body: bytes) -> ColourSpace | None:
    if len(body) != _CICP_BYTES or body[2] != _RGB_MATRIX:
        return None
    primaries, transfer, _, is_full = body
    return by_code_points(primaries, transfer, is_limited=not is_full)


def _by_numbers(chunks: dict[bytes, bytes]) -> ColourSpace:
    return ColourSpace(
        primaries=_primaries(chunks.get(b"cHRM", b"")), transfer=_gamma(chunks.get(b"gAMA", b""))
    )


def _gamma(body: bytes) -> Transfer:
    """The exponent of a gAMA chunk; that of sRGB stands for the curve of sRGB."""
    encoded = int.from_bytes(body, "big")
    if len(body) != _GAMA_BYTES or not encoded:
        return "srgb"
    gamma = _HUNDRED_THOUSANDTHS / encoded
    is_same = abs(gamma / _SRGB_GAMMA - 1) <= _SAME_GAMMA
    return gamma if not is_same and _LEAST_GAMMA <= gamma <= _MOST_GAMMA else "srgb"


def _primaries(body: bytes) -> Primaries:
    """The chromaticities of a cHRM chunk, or those of sRGB if they are not real."""
    if len(body) != _CHRM.size:
        return BT709
    numbers = [number / _HUNDRED_THOUSANDTHS for number in _CHRM.unpack(body)]
    white, red, green, blue = zip(numbers[::2], numbers[1::2], strict=True)
    primaries = Primaries(red, green, blue, white)
    return primaries if primaries.are_real() else BT709
