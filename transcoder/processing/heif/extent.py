"""Extents: the pixels that have to be decoded for the primary image, by the header.

A picture may be cropped, made of tiles, laid over others, or have alpha of another size: what a
viewer shows says little about it. libheif checks that coded pictures are no larger than they say.
"""

from collections.abc import Iterator
from ctypes import POINTER, byref, c_uint32
from typing import Final, NamedTuple

from transcoder.processing.heif.libheif import (
    LIBRARY,
    TILE_THREADS,
    image_of,
    opened,
    primary_image,
)

_DERIVED_FROM: Final = int.from_bytes(b"dimg", "big")
_GRID: Final = int.from_bytes(b"grid", "big")
_ANY_PURPOSE: Final = 0


class Extent(NamedTuple):
    """Pixels: those in memory at once, and those that are decoded in all."""

    at_once: int
    in_all: int


# Of a picture that is part of itself, or of parts of parts of many levels; phones have one.
_ENDLESS: Final = Extent(1 << 40, 1 << 40)
_MOST_LEVELS: Final = 8


def extent_of(content: bytes) -> Extent:
    """The extent of the primary image.

    Raises:
        HeifError: the file cannot be read, or has no such image.
    """
    with opened(content) as context, primary_image(context) as handle:
        known: dict[int, Extent] = {}
        item = LIBRARY.heif_image_handle_get_item_id(handle)
        extents = [_extent(context, each, known) for each in (item, *_auxiliaries(handle))]
    # Alpha is costed by the pixel like colour: it counts if it has more of them.
    return Extent(max(each.at_once for each in extents), max(each.in_all for each in extents))


def _auxiliaries(handle: object) -> list[int]:
    """The pictures that may be its alpha."""
    if not LIBRARY.heif_image_handle_has_alpha_channel(handle):
        return []
    count = LIBRARY.heif_image_handle_get_number_of_auxiliary_images(handle, _ANY_PURPOSE)
    items = (c_uint32 * count)()
    LIBRARY.heif_image_handle_get_list_of_auxiliary_image_IDs(handle, _ANY_PURPOSE, items, count)
    return list(items)


def _extent(
    context: int, item: int, known: dict[int, Extent], levels: int = _MOST_LEVELS
) -> Extent:
    if item not in known:
        known[item] = _ENDLESS
        if levels == 0:
            return _ENDLESS
        parts = [_extent(context, part, known, levels - 1) for part in _parts(context, item)]
        known[item] = _of_parts(context, item, parts) if parts else _own(context, item)
    return known[item]


def _of_parts(context: int, item: int, parts: list[Extent]) -> Extent:
    """Tiles are decoded side by side before their colours are converted, layers one by one."""
    canvas = _own(context, item).at_once
    sizes = sorted(part.at_once for part in parts)
    in_all = max(canvas, sum(part.in_all for part in parts))
    if LIBRARY.heif_item_get_item_type(context, item) == _GRID:
        return Extent(max(canvas, sum(sizes[-TILE_THREADS:])), in_all)
    return Extent(canvas + sizes[-1], in_all)


def _own(context: int, item: int) -> Extent:
    with image_of(context, item) as handle:
        shown = LIBRARY.heif_image_handle_get_width(handle) * LIBRARY.heif_image_handle_get_height(
            handle
        )
        stored = LIBRARY.heif_image_handle_get_ispe_width(
            handle
        ) * LIBRARY.heif_image_handle_get_ispe_height(handle)
    return Extent(max(shown, stored), max(shown, stored))


def _parts(context: int, item: int) -> Iterator[int]:
    """The pictures that a grid or an overlay is derived from; none of a coded picture."""
    kind, items = c_uint32(), POINTER(c_uint32)()
    index = 0
    while count := LIBRARY.heif_context_get_item_references(
        context, item, index, byref(kind), byref(items)
    ):
        found = items[:count]
        LIBRARY.heif_release_item_references(context, byref(items))
        if kind.value == _DERIVED_FROM:
            yield from found
        index += 1
