"""Odd JPEGs: intact ones of every structure, with what cameras, apps and scanners do to them."""

import struct
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw

from tests.transcoder import pictures
from tests.transcoder.processing.damage import restart_markers

_EOI: Final = b"\xff\xd9"
_SOS, _SOF0, _DHT, _DQT = 0xDA, 0xC0, 0xC4, 0xDB
_CELL: Final = 16


def _by_opencv(picture: Image.Image, sampling: int) -> bytes:
    options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, cv2.IMWRITE_JPEG_QUALITY, 88]
    pixels = cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", pixels, options)[1].tobytes()


def _one_component_per_scan(picture: Image.Image) -> bytes:
    """A baseline JPEG whose components are in scans of their own."""
    luma, *chroma = picture.convert("YCbCr").split()
    halves = [each.resize(((each.width + 1) // 2, (each.height + 1) // 2)) for each in chroma]
    scans = [dict(pictures.segments(pictures.jpeg(each))) for each in (luma, *halves)]
    datas = [_scan_data(pictures.jpeg(each)) for each in (luma, *halves)]
    frame = scans[0][_SOF0][:5] + b"\3\1\x22\0\2\x11\0\3\x11\0"
    tables = b"".join(
        _segment(kind, body)
        for kind, body in pictures.segments(pictures.jpeg(luma))
        if kind in {_DQT, _DHT}
    )
    coded = b"".join(
        _segment(_SOS, bytes([1, number, 0, 0, 63, 0])) + data
        for number, data in enumerate(datas, start=1)
    )
    return b"\xff\xd8" + tables + _segment(_SOF0, frame) + coded + _EOI


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _scan_data(content: bytes) -> bytes:
    start = content.index(b"\xff\xda")
    return content[start + 2 + int.from_bytes(content[start + 2 : start + 4], "big") : -2]


STRUCTURES: Final[dict[str, Callable[[Image.Image], bytes]]] = {
    "4:2:0": lambda picture: pictures.jpeg(picture, quality=90),
    "4:2:2": lambda picture: pictures.jpeg(picture, quality=85, subsampling="4:2:2"),
    "4:4:4": lambda picture: pictures.jpeg(picture, quality=93, subsampling="4:4:4"),
    "4:1:1": lambda picture: _by_opencv(picture, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411),
    "4:4:0": lambda picture: _by_opencv(picture, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440),
    "grey": lambda picture: pictures.jpeg(picture.convert("L")),
    "CMYK": lambda picture: pictures.jpeg(picture.convert("CMYK")),
    "optimised": lambda picture: pictures.jpeg(picture, quality=75, optimize=True),
    "restart per row": lambda picture: pictures.jpeg(picture, restart_marker_rows=1),
    "restart per 5 blocks": lambda picture: pictures.jpeg(picture, restart_marker_blocks=5),
    "progressive": lambda picture: pictures.jpeg(picture, progressive=True),
    "progressive, restart per row": lambda picture: pictures.jpeg(
        picture, progressive=True, restart_marker_rows=1
    ),
    "one component per scan": _one_component_per_scan,
}


def without_its_end(content: bytes) -> bytes:
    """Every pixel is there, the end marker is not."""
    assert content[-2:] == _EOI
    return content[:-2]


def with_bytes_before_its_end(extra: bytes) -> Callable[[bytes], bytes]:
    return lambda content: content[:-2] + extra + _EOI


def with_bytes_before_restarts(extra: bytes) -> Callable[[bytes], bytes]:
    """What a known camera app writes after every interval, as if to fill a buffer."""

    def changed(content: bytes) -> bytes:
        parts, last = [], 0
        for at in restart_markers(content):
            parts.append(content[last:at] + extra)
            last = at
        return b"".join(parts) + content[last:]

    return changed


def with_wrong_scan_parameters(content: bytes) -> bytes:
    """A baseline JPEG whose scan header says that it ends at the first coefficient."""
    start = content.index(b"\xff\xda")
    end = start + 2 + int.from_bytes(content[start + 2 : start + 4], "big")
    return content[: end - 3] + bytes(3) + content[end:] if b"\xff\xc0" in content else content


def with_fill_bytes(content: bytes) -> bytes:
    """Any number of FF may stand before a marker."""
    start = content.index(b"\xff\xdb")
    filled = with_bytes_before_restarts(b"\xff\xff")(content[:-2]) + b"\xff\xff\xff" + _EOI
    return filled[:start] + b"\xff\xff" + filled[start:]


def followed_by(extra: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda content: content + extra(content)


ODDITIES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "as it is": bytes,
    "without its end": without_its_end,
    "2 bytes before its end": with_bytes_before_its_end(b"\x5a\xa5"),
    "16 zeros before its end": with_bytes_before_its_end(bytes(16)),
    "5000 zeros before its end": with_bytes_before_its_end(bytes(5000)),
    "9 bytes before each restart": with_bytes_before_restarts(b"\x10\x32\x54\x76\x98" * 2),
    "wrong scan parameters": with_wrong_scan_parameters,
    "fill bytes": with_fill_bytes,
    "followed by zeros": followed_by(lambda _: bytes(50_000)),
    "followed by a film": followed_by(lambda _: b"\0\0\0\x18ftypmp42" + bytes(range(250)) * 40),
    "followed by itself": followed_by(bytes),
    "thumbnail and everything": lambda content: (
        content[:2]
        + _segment(0xE1, b"Exif\0\0" + pictures.jpeg(pictures.corners(160, 120)))
        + content[2:]
    ),
}


def screenshot(width: int = 640, height: int = 480, *, cell: int = _CELL) -> Image.Image:
    """Flat panels and a tab whose edges lie on the grid of the codec."""
    picture = Image.new("RGB", (width, height), (250, 250, 250))
    draw = ImageDraw.Draw(picture)
    top = 4 * cell
    draw.rectangle((0, 0, width, top - 1), (60, 64, 72))
    draw.rectangle((10 * cell, top, width, top + cell - 1), (60, 64, 72))
    draw.rectangle((0, top + 8 * cell, width // 3, height), (225, 229, 235))
    for line in range(12):
        draw.text((width // 3 + cell, top + (3 + line) * 2 * cell), "intact " * 9, (20, 20, 20))
    return picture


def half_flat(picture: Image.Image) -> Image.Image:
    """A photo above a large grey area: what damage often looks like."""
    flat = picture.copy()
    flat.paste((128, 128, 128), (0, picture.height // 2, picture.width, picture.height))
    return flat


def on_a_slide(picture: Image.Image) -> Image.Image:
    """A photo on black bars, on the grid of the codec."""
    slide = Image.new("RGB", picture.size)
    inner = picture.resize((picture.width // 2 // _CELL * _CELL, picture.height // 2))
    slide.paste(inner, (5 * _CELL, 3 * _CELL))
    return slide


FLAT: Final[dict[str, Callable[[], Image.Image]]] = {
    "white": lambda: Image.new("RGB", (600, 400), "white"),
    "black": lambda: Image.new("RGB", (600, 400)),
    "grey": lambda: Image.new("RGB", (600, 400), (128, 128, 128)),
    "green": lambda: Image.new("RGB", (600, 400), (0, 135, 0)),
    "gradient": lambda: pictures.grey().convert("RGB"),
    "corners": lambda: pictures.corners(640, 480),
    "screenshot": screenshot,
    "screenshot on a grid of 8": lambda: screenshot(cell=8),
}
