"""The items of a HEIF: pictures, tiles of pictures, and what is beside them."""

import ctypes
from collections.abc import Iterator
from ctypes import byref, c_size_t, c_uint32, c_void_p
from typing import Final

from transcoder.processing.heif.libheif import LIBRARY, check, opened

# Codecs, as items name them.
HEVC: Final = int.from_bytes(b"hvc1", "big")
AV1: Final = int.from_bytes(b"av01", "big")


def coded_pictures(content: bytes, codec: int) -> Iterator[bytes]:
    """The data of every picture that a codec has coded: tiles, thumbnails and the like.

    Raises:
        HeifError: data is missing.
    """
    with opened(content) as context:
        count = LIBRARY.heif_context_get_number_of_items(context)
        items = (c_uint32 * count)()
        LIBRARY.heif_context_get_list_of_item_IDs(context, items, count)
        for item in items:
            if LIBRARY.heif_item_get_item_type(context, item) == codec:
                yield _item_data(context, item)


def _item_data(context: int, item: int) -> bytes:
    start, size = c_void_p(), c_size_t()
    check(LIBRARY.heif_item_get_item_data(context, item, None, byref(start), byref(size)))
    try:
        return ctypes.string_at(start, size.value)
    finally:
        LIBRARY.heif_release_item_data(context, byref(start))
