"""AVIFs derived from others: assembled here, since none of our libraries writes them."""

import struct
from typing import Final

from PIL import Image

from tests.transcoder import pictures

_GRID_ITEM: Final = 1


def avif_grid(picture: Image.Image, *, columns: int, rows: int) -> bytes:
    """The picture as an AVIF of equal tiles; its sides have to be multiples of their number."""
    width, height = picture.width // columns, picture.height // rows
    tiles = [
        pictures.avif(picture.crop((left, top, left + width, top + height)))
        for top in range(0, picture.height, height)
        for left in range(0, picture.width, width)
    ]
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, picture.width, picture.height)
    payloads = [grid, *(_body(tile, b"mdat") for tile in tiles)]
    properties = _properties(tiles[0], picture.size, (width, height), len(tiles))
    parts = [(_GRID_ITEM, [*range(_GRID_ITEM + 1, len(payloads) + 1)])]
    return _assembled(tiles[0], [b"grid", *[b"av01"] * len(tiles)], payloads, parts, properties)


def avif_chain(picture: Image.Image, *, levels: int) -> bytes:
    """The picture as an AVIF that is derived from one that is derived from another, and so on."""
    coded = pictures.avif(picture)
    kinds = [*[b"iden"] * levels, b"av01"]
    payloads = [*[b"\0"] * levels, _body(coded, b"mdat")]
    parts = [(level, [level + 1]) for level in range(1, levels + 1)]
    properties = _properties(coded, picture.size, picture.size, levels)
    return _assembled(coded, kinds, payloads, parts, properties)


def _assembled(
    coded: bytes,
    kinds: list[bytes],
    payloads: list[bytes],
    parts: list[tuple[int, list[int]]],
    properties: bytes,
) -> bytes:
    ftyp = _box(b"ftyp", _body(coded, b"ftyp"))
    start = len(ftyp) + len(_meta(kinds, payloads, parts, properties, 0)) + 8
    meta = _meta(kinds, payloads, parts, properties, start)
    return ftyp + meta + _box(b"mdat", b"".join(payloads))


def _meta(
    kinds: list[bytes],
    payloads: list[bytes],
    parts: list[tuple[int, list[int]]],
    properties: bytes,
    start: int,
) -> bytes:
    numbers = range(_GRID_ITEM, len(payloads) + 1)
    entries = b"".join(
        _full(b"infe", struct.pack(">HH4s", number, 0, kind) + b"\0", version=2, flags=number > 1)
        for number, kind in zip(numbers, kinds, strict=True)
    )
    derived = b"".join(
        _box(b"dimg", struct.pack(f">HH{len(items)}H", item, len(items), *items))
        for item, items in parts
    )
    return _full(
        b"meta",
        _full(b"hdlr", bytes(4) + b"pict" + bytes(13))
        + _full(b"pitm", struct.pack(">H", _GRID_ITEM))
        + _locations(payloads, start)
        + _full(b"iinf", struct.pack(">H", len(payloads)) + entries)
        + _full(b"iref", derived)
        + properties,
    )


def _locations(payloads: list[bytes], start: int) -> bytes:
    items = b""
    for number, payload in enumerate(payloads, start=_GRID_ITEM):
        items += struct.pack(">HHHII", number, 0, 1, start, len(payload))
        start += len(payload)
    return _full(b"iloc", struct.pack(">BBH", 0x44, 0, len(payloads)) + items)


def _properties(
    tile: bytes, size: tuple[int, int], tile_size: tuple[int, int], tiles: int
) -> bytes:
    at = tile.index(b"av1C") - 4
    configuration = tile[at : at + struct.unpack_from(">I", tile, at)[0]]
    pixels = _full(b"pixi", b"\3\x08\x08\x08")
    sizes = (_full(b"ispe", struct.pack(">II", *each)) for each in (size, tile_size))
    container = _box(b"ipco", b"".join(sizes) + configuration + pixels)
    owned = struct.pack(">HB2B", _GRID_ITEM, 2, 1, 4)
    for number in range(_GRID_ITEM + 1, _GRID_ITEM + 1 + tiles):
        owned += struct.pack(">HB3B", number, 3, 2, 0x80 | 3, 4)
    return _box(b"iprp", container + _full(b"ipma", struct.pack(">I", tiles + 1) + owned))


def _body(content: bytes, kind: bytes) -> bytes:
    at = content.index(kind) - 4
    return content[at + 8 : at + struct.unpack_from(">I", content, at)[0]]


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def _full(kind: bytes, body: bytes, *, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags) + body)
