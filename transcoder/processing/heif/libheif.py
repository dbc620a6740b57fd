"""libheif: its C API, because pillow-heif has no switch for strict decoding.

By default, libheif paints missing tiles green and only warns. The library is the one that
pillow-heif brings. When it is loaded, the layout of its options is verified.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_void_p
from typing import Any, Final

import _pillow_heif

# Threads that decode the tiles of one picture, besides the caller.
TILE_THREADS: Final = 4
# The version of the options that added `strict_decoding`.
_STRICT_SINCE: Final = 3


class UnknownLayout(Exception):
    """This version of libheif keeps `strict_decoding` in another place."""


class HeifError(Exception):
    """libheif cannot decode the file, or not all of it; the message is its own."""


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
        ("context_get_image_handle", _Result, c_void_p, c_uint32, POINTER(c_void_p)),
        ("context_get_number_of_items", c_int, c_void_p),
        ("context_get_list_of_item_IDs", c_int, c_void_p, POINTER(c_uint32), c_int),
        ("item_get_item_type", c_uint32, c_void_p, c_uint32),
        (
            "item_get_item_data",
            _Result,
            *(c_void_p, c_uint32, c_void_p, POINTER(c_void_p), POINTER(c_size_t)),
        ),
        ("release_item_data", None, c_void_p, POINTER(c_void_p)),
        (
            "context_get_item_references",
            c_size_t,
            *(c_void_p, c_uint32, c_int, POINTER(c_uint32), POINTER(POINTER(c_uint32))),
        ),
        ("release_item_references", None, c_void_p, POINTER(POINTER(c_uint32))),
        ("image_handle_release", None, c_void_p),
        ("image_handle_get_item_id", c_uint32, c_void_p),
        ("image_handle_get_width", c_int, c_void_p),
        ("image_handle_get_height", c_int, c_void_p),
        ("image_handle_get_ispe_width", c_int, c_void_p),
        ("image_handle_get_ispe_height", c_int, c_void_p),
        ("image_handle_has_alpha_channel", c_int, c_void_p),
        ("image_handle_get_number_of_auxiliary_images", c_int, c_void_p, c_int),
        (
            "image_handle_get_list_of_auxiliary_image_IDs",
            c_int,
            *(c_void_p, c_int, POINTER(c_uint32), c_int),
        ),
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


LIBRARY: Final = _functions()


@contextmanager
def opened(content: bytes) -> Iterator[int]:
    """The context of a file, which is read but not decoded.

    Raises:
        HeifError: it cannot be read.
    """
    context = LIBRARY.heif_context_alloc()
    try:
        LIBRARY.heif_context_set_max_decoding_threads(context, TILE_THREADS)
        check(
            LIBRARY.heif_context_read_from_memory_without_copy(context, content, len(content), None)
        )
        yield context
    finally:
        LIBRARY.heif_context_free(context)


@contextmanager
def primary_image(context: int) -> Iterator[c_void_p]:
    """The handle of the picture that viewers show.

    Raises:
        HeifError: there is none.
    """
    with _handle() as handle:
        check(LIBRARY.heif_context_get_primary_image_handle(context, byref(handle)))
        yield handle


@contextmanager
def image_of(context: int, item: int) -> Iterator[c_void_p]:
    """The handle of any picture, by the number of its item.

    Raises:
        HeifError: the item is no picture.
    """
    with _handle() as handle:
        check(LIBRARY.heif_context_get_image_handle(context, item, byref(handle)))
        yield handle


@contextmanager
def _handle() -> Iterator[c_void_p]:
    handle = c_void_p()
    try:
        yield handle
    finally:
        LIBRARY.heif_image_handle_release(handle)


@contextmanager
def decoding_options() -> Iterator[Any]:
    """The options of a decoder, to be changed before they are used."""
    options = LIBRARY.heif_decoding_options_alloc()
    try:
        yield options
    finally:
        LIBRARY.heif_decoding_options_free(options)


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
    with decoding_options() as source, decoding_options() as target:
        if source.contents.version < version:
            return False
        source.contents.version = version
        source.contents.strict_decoding = 1
        LIBRARY.heif_decoding_options_copy(target, source)
        return bool(target.contents.strict_decoding)


def check(result: _Result) -> None:
    """Check what a function returned.

    Raises:
        HeifError: it failed.
    """
    if result.code:
        raise HeifError((result.message or b"").decode(errors="replace"))


verify_layout()
