"""libheif: decode strictly, through its C API, because pillow-heif has no switch for it.

By default, libheif paints missing tiles green and only warns. The library is the one that
pillow-heif brings. When it is loaded, the layout of its options is verified.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_void_p
from typing import Any, Final, NamedTuple
from weakref import finalize

import _pillow_heif
import numpy as np

from transcoder.processing.picture import DeepPicture, Picture

# Threads that decode the tiles of one picture, besides the caller.
_TILE_THREADS: Final = 4
_ROWS_AT_ONCE: Final = 64
# The version of the options that added `strict_decoding`.
_STRICT_SINCE: Final = 3


class UnknownLayout(Exception):
    """This version of libheif keeps `strict_decoding` in another place."""


class HeifError(Exception):
    """libheif cannot decode the file, or not all of it; the message is its own."""


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


# Codecs, as items name them.
HEVC: Final = int.from_bytes(b"hvc1", "big")
AV1: Final = int.from_bytes(b"av01", "big")
_YCBCR, _AS_CODED = 0, 99
_CB, _CR = 1, 2
# Pixels on a side of the smallest coding block.
_BLOCK: Final = 8
_DEEP_BYTES, _DEEP_BITS = 2, 16


class _Result(ctypes.Structure):
    _fields_ = (("code", c_int), ("subcode", c_int), ("message", c_char_p))


class _DecodingOptions(ctypes.Structure):
    """The start of `heif_decoding_options`, which only grows at its end."""

    _fields_ = (
        ("version", c_uint8),
        ("ignore_transformations", c_uint8),
        ("callbacks", c_void_p * 4),
        ("convert_hdr_to_8bit", c_uint8),
        ("strict_decoding", c_uint8),
    )


def _functions() -> ctypes.CDLL:
    """The library that pillow-heif has loaded, found through what depends on it."""
    library = ctypes.CDLL(_pillow_heif.__file__)
    for name, result, *arguments in (
        ("context_alloc", c_void_p),
        ("context_free", None, c_void_p),
        ("context_set_max_decoding_threads", None, c_void_p, c_int),
        (
            "context_read_from_memory_without_copy",
            _Result,
            *(c_void_p, c_char_p, c_size_t, c_void_p),
        ),
        ("context_get_primary_image_handle", _Result, c_void_p, POINTER(c_void_p)),
        ("context_get_number_of_items", c_int, c_void_p),
        ("context_get_list_of_item_IDs", c_int, c_void_p, POINTER(c_uint32), c_int),
        ("item_get_item_type", c_uint32, c_void_p, c_uint32),
        (
            "item_get_item_data",
            _Result,
            *(c_void_p, c_uint32, c_void_p, POINTER(c_void_p), POINTER(c_size_t)),
        ),
        ("release_item_data", None, c_void_p, POINTER(c_void_p)),
        ("image_handle_release", None, c_void_p),
        ("decoding_options_alloc", POINTER(_DecodingOptions)),
        ("decoding_options_copy", None, POINTER(_DecodingOptions), POINTER(_DecodingOptions)),
        ("decoding_options_free", None, POINTER(_DecodingOptions)),
        (
            "decode_image",
            _Result,
            *(c_void_p, POINTER(c_void_p), c_int, c_int, POINTER(_DecodingOptions)),
        ),
        ("image_get_width", c_int, c_void_p, c_int),
        ("image_get_height", c_int, c_void_p, c_int),
        ("image_get_plane", c_void_p, c_void_p, c_int, POINTER(c_int)),
        ("image_get_bits_per_pixel_range", c_int, c_void_p, c_int),
        ("image_release", None, c_void_p),
    ):
        function = getattr(library, f"heif_{name}")
        function.restype, function.argtypes = result, arguments
    return library


_LIBRARY: Final = _functions()


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
    picture <<= _DEEP_BITS - _LIBRARY.heif_image_get_bits_per_pixel_range(image.pointer, channel)
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


def coded_pictures(content: bytes, codec: int) -> Iterator[bytes]:
    """The data of every picture that a codec has coded: tiles, thumbnails and the like.

    Raises:
        HeifError: data is missing.
    """
    with _context(content) as context:
        count = _LIBRARY.heif_context_get_number_of_items(context)
        items = (c_uint32 * count)()
        _LIBRARY.heif_context_get_list_of_item_IDs(context, items, count)
        for item in items:
            if _LIBRARY.heif_item_get_item_type(context, item) == codec:
                yield _item_data(context, item)


def _item_data(context: int, item: int) -> bytes:
    start, size = c_void_p(), c_size_t()
    _check(_LIBRARY.heif_item_get_item_data(context, item, None, byref(start), byref(size)))
    try:
        return ctypes.string_at(start, size.value)
    finally:
        _LIBRARY.heif_release_item_data(context, byref(start))


class _Image:
    """An image of libheif's, freed with the last array that shows its memory."""

    def __init__(self) -> None:
        self.pointer: Final = c_void_p()
        finalize(self, _LIBRARY.heif_image_release, self.pointer)


def _decode(content: bytes, colourspace: int, chroma: int, *, is_deep: bool = False) -> _Image:
    image = _Image()
    with _primary_image(content) as handle, _options() as options:
        options.contents.convert_hdr_to_8bit = not is_deep
        options.contents.strict_decoding = 1
        _check(
            _LIBRARY.heif_decode_image(handle, byref(image.pointer), colourspace, chroma, options)
        )
    return image


@contextmanager
def _context(content: bytes) -> Iterator[int]:
    context = _LIBRARY.heif_context_alloc()
    try:
        _LIBRARY.heif_context_set_max_decoding_threads(context, _TILE_THREADS)
        _check(
            _LIBRARY.heif_context_read_from_memory_without_copy(
                context, content, len(content), None
            )
        )
        yield context
    finally:
        _LIBRARY.heif_context_free(context)


@contextmanager
def _primary_image(content: bytes) -> Iterator[c_void_p]:
    handle = c_void_p()
    with _context(content) as context:
        _check(_LIBRARY.heif_context_get_primary_image_handle(context, byref(handle)))
        try:
            yield handle
        finally:
            _LIBRARY.heif_image_handle_release(handle)


@contextmanager
def _options() -> Iterator[Any]:
    options = _LIBRARY.heif_decoding_options_alloc()
    try:
        yield options
    finally:
        _LIBRARY.heif_decoding_options_free(options)


def verify_layout() -> None:
    """Check that libheif reads `strict_decoding` where we write it.

    libheif copies only the fields that the older of two options has, so the field has to appear in
    a copy with its version, and not with the version before.

    Raises:
        UnknownLayout: it does not.
    """
    copied = {version: _is_copied(version) for version in (_STRICT_SINCE - 1, _STRICT_SINCE)}
    if copied != {_STRICT_SINCE - 1: False, _STRICT_SINCE: True}:
        raise UnknownLayout


def _is_copied(version: int) -> bool:
    with _options() as source, _options() as target:
        if source.contents.version < version:
            return False
        source.contents.version = version
        source.contents.strict_decoding = 1
        _LIBRARY.heif_decoding_options_copy(target, source)
        return bool(target.contents.strict_decoding)


def _check(result: _Result) -> None:
    if result.code:
        raise HeifError((result.message or b"").decode(errors="replace"))


def _plane(image: _Image, channel: int, samples: int) -> Picture:
    stride, where = c_int(), (image.pointer, channel)
    address = _LIBRARY.heif_image_get_plane(*where, byref(stride))
    width, height = _LIBRARY.heif_image_get_width(*where), _LIBRARY.heif_image_get_height(*where)
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


verify_layout()
