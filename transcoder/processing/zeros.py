"""Zeros: find runs in coded pixels that no picture needs, where a format has no checksums.

Half-copied files often end in zeros, which decoders take for pixels.
"""

from collections.abc import Iterator
from typing import Final

from transcoder.errors import CorruptImage

# Flat pictures by libwebp need one byte of zeros for 40 squares of 16 × 16 pixels; other encoders
# of VP8 and AV1 are allowed one for each. Without loss, at least one bit is a pixel.
_PIXELS_PER_BYTE: Final = 256
_LOSSLESS_PIXELS_PER_BYTE: Final = 8
_LEAST: Final = 64
_FIRST_CHUNK: Final = 12
_HEADER: Final = 8
_LOSSY, _LOSSLESS = b"VP8 ", b"VP8L"


def check_zeros(coded: bytes, pixels: int, *, pixels_per_byte: int = _PIXELS_PER_BYTE) -> None:
    """Check the coded data of a picture with so many pixels.

    Raises:
        CorruptImage: there are more zeros in a row than it can need.
    """
    if bytes(_LEAST + pixels // pixels_per_byte) in coded:
        raise CorruptImage(reason="a long run of zeros")


def check_webp(content: bytes, pixels: int) -> None:
    """Check the pixels of a WebP; zeros in metadata do no harm.

    Raises:
        CorruptImage: there are more zeros in a row than it can need.
    """
    for kind, coded in _chunks(content):
        if kind == _LOSSY:
            check_zeros(coded, pixels)
        elif kind == _LOSSLESS:
            check_zeros(coded, pixels, pixels_per_byte=_LOSSLESS_PIXELS_PER_BYTE)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _FIRST_CHUNK
    while at + _HEADER <= len(content):
        start = at + _HEADER
        length = int.from_bytes(content[at + 4 : start], "little")
        yield content[at : at + 4], content[start : start + length]
        at = start + length + length % 2
