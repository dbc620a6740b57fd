"""The primary image of a HEIC, decoded strictly: whole, or not at all."""

from ctypes import byref, c_int, c_uint8, c_void_p
from typing import Any, Final, NamedTuple
from weakref import finalize

import numpy as np

from transcoder.processing.heif.libheif import (
    LIBRARY,
    check,
    decoding_options,
    opened,
    primary_image,
)
from transcoder.processing.picture import DeepPicture, Picture

_ROWS_AT_ONCE: Final = 64


class Layout(NamedTuple):
    """How decoded pixels lie in memory: libheif's numbers, and how many samples a pixel has."""

    colourspace: int
    chroma: int
    channel: int
    samples: int


GREY: Final = Layout(colourspace=2, chroma=0, channel=0, samples=1)
RGB: Final = Layout(colourspace=1, chroma=10, channel=10, samples=3)
RGBA: Final = Layout(colourspace=1, chroma=11, channel=10, samples=4)
# With two bytes a sample, the lowest first; of greys, libheif knows by itself.
DEEP: Final = {
    GREY: GREY,
    RGB: RGB._replace(chroma=14),
    RGBA: RGBA._replace(chroma=15),
}

_YCBCR, _AS_CODED = 0, 99
_CB, _CR = 1, 2
# Pixels on a side of the smallest coding block.
_BLOCK: Final = 8
_DEEP_BYTES, _DEEP_BITS = 2, 16


def decode_primary(content: bytes, layout: Layout) -> Picture:
    """Decode the primary image to 8 bits a sample, upright by the file's transformations.

    The pixels stay where libheif put them, and are freed with the array.

    Raises:
        HeifError: some of it is missing or damaged, or memory ran out.
    """
    image = _decode(content, layout.colourspace, layout.chroma)
    picture = _plane(image, layout.channel, layout.samples)
    return picture if layout.samples > 1 else picture[:, :, 0]


def decode_deep_primary(content: bytes, layout: Layout) -> DeepPicture:
    """The same for more than 8 bits a sample, which are shifted to 16.

    Raises:
        HeifError: some of it is missing or damaged, or memory ran out.
    """
    _, chroma, channel, samples = DEEP[layout]
    image = _decode(content, layout.colourspace, chroma, is_deep=True)
    picture = _plane(image, channel, samples * _DEEP_BYTES).view("<u2")
    picture <<= _DEEP_BITS - LIBRARY.heif_image_get_bits_per_pixel_range(image.pointer, channel)
    return picture if samples > 1 else picture[:, :, 0]


def has_empty_blocks(content: bytes) -> bool:
    """Whether blocks of the primary image were not decoded, because its data made no sense.

    They are zeros in luma and chroma, which is no colour: even pure green has more of each.

    Raises:
        HeifError: it cannot be decoded at all.
    """
    image = _decode(content, _YCBCR, _AS_CODED)
    blue, red = (_plane(image, channel, 1)[::_BLOCK, ::_BLOCK] for channel in (_CB, _CR))
    return bool(((blue == 0) & (red == 0)).any())


class _Image:
    """An image of libheif's, freed with the last array that shows its memory."""

    def __init__(self) -> None:
        self.pointer: Final = c_void_p()
        finalize(self, LIBRARY.heif_image_release, self.pointer)


def _decode(content: bytes, colourspace: int, chroma: int, *, is_deep: bool = False) -> _Image:
    image = _Image()
    with (
        opened(content) as context,
        primary_image(context) as handle,
        decoding_options() as options,
    ):
        options.contents.convert_hdr_to_8bit = not is_deep
        options.contents.strict_decoding = 1
        check(LIBRARY.heif_decode_image(handle, byref(image.pointer), colourspace, chroma, options))
    return image


def _plane(image: _Image, channel: int, samples: int) -> Picture:
    stride, where = c_int(), (image.pointer, channel)
    address = LIBRARY.heif_image_get_plane(*where, byref(stride))
    width, height = LIBRARY.heif_image_get_width(*where), LIBRARY.heif_image_get_height(*where)
    memory: Any = (c_uint8 * (height * stride.value)).from_address(address)
    memory.owner = image
    rows = np.frombuffer(memory, np.uint8).reshape(height, stride.value)
    return _dense(rows, width * samples).reshape(height, width, samples)


def _dense(rows: Picture, row_bytes: int) -> Picture:
    """Move rows together in place, because later steps want no gaps between them."""
    height, stride = rows.shape
    flat = rows.reshape(-1)
    if stride != row_bytes:
        for top in range(0, height, _ROWS_AT_ONCE):
            strip = rows[top : top + _ROWS_AT_ONCE, :row_bytes].copy()
            flat[top * row_bytes : top * row_bytes + strip.size] = strip.reshape(-1)
    return flat[: height * row_bytes]
