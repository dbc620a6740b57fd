"""Hostile files: what an attacker or a broken phone may send; generated here."""

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from PIL import Image

from domain.formats import ContentType
from tests.transcoder import pictures

MEGABYTE: Final = 1_000_000
_FRAME_SIZE: Final = struct.Struct(">HH")
_EOI: Final = b"\xff\xd9"


@cache
def good_files() -> dict[ContentType, bytes]:
    """An intact photo of each format, of some ten kilobytes."""
    picture = pictures.noise(160, 120)
    return {
        "image/jpeg": pictures.jpeg(picture, progressive=True),
        "image/png": pictures.png(picture),
        "image/webp": pictures.webp(picture),
        "image/heic": pictures.heic(picture),
        "image/avif": pictures.avif(picture),
    }


def truncated(content: bytes) -> Iterator[bytes]:
    """The file cut at every kilobyte."""
    return (content[:length] for length in range(0, len(content), 1000))


def flipped(content: bytes, *, times: int) -> Iterator[bytes]:
    """The file with a few wrong bytes, differently each time and the same on every run."""
    randomly = random.Random(1)  # noqa: S311 - the same damage on every run
    for _ in range(times):
        damaged = bytearray(content)
        for _ in range(randomly.choice((1, 3, 30))):
            damaged[randomly.randrange(len(damaged))] = randomly.randrange(256)
        yield bytes(damaged)


def jpeg_with(marker: int, *bodies: bytes) -> bytes:
    """A JPEG with more segments of one kind."""
    content = pictures.jpeg()
    segments = (struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for body in bodies)
    return content[:2] + b"".join(segments) + content[2:]


def jpeg_of_scans(count: int, *, width: int = 2000, height: int = 1500) -> bytes:
    """A progressive JPEG that sends its last scan again and again."""
    content = pictures.jpeg(pictures.corners(width, height), progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * (count - 9) + _EOI


def jpeg_of_size(width: int, height: int) -> bytes:
    """A small JPEG that promises other pixels than it has."""
    content = pictures.jpeg()
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + _FRAME_SIZE.pack(height, width) + content[at + 4 :]


def jpeg_of_sampling(sampling: int) -> bytes:
    """A JPEG whose header has wrong sampling factors for its first component."""
    content = pictures.jpeg(subsampling=0)
    at = content.index(b"\xff\xc0") + 11
    return content[:at] + bytes([sampling]) + content[at + 1 :]


def png_with(kind: bytes, *bodies: bytes) -> bytes:
    """A PNG with more chunks of one kind after its header."""
    content = pictures.png()
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for body in bodies
    )
    return content[:33] + b"".join(chunks) + content[33:]


def png_of_size(width: int, height: int) -> bytes:
    """A small PNG that promises other pixels than it has."""
    content = pictures.png()
    header = struct.pack(">II", width, height) + content[24:29]
    crc = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return content[:16] + header + crc + content[33:]


def heif_of_size(content: bytes, width: int, height: int) -> bytes:
    """A HEIF whose image properties promise other pixels than it has."""
    at = content.index(b"ispe") + 8
    return content[:at] + struct.pack(">II", width, height) + content[at + 8 :]


def webp_of_size(width: int, height: int) -> bytes:
    """A WebP whose canvas promises other pixels than it has."""
    content = pictures.webp(pictures.half_transparent())
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return content[:24] + canvas + content[30:]


def _bomb() -> bytes:
    return zlib.compress(bytes(100 * MEGABYTE), 9)


def _frames(kind: str) -> bytes:
    frames = [Image.new("RGB", (64, 64), (at % 256, 0, 0)) for at in range(2000)]
    return pictures.encoded(
        frames[0], kind, save_all=True, append_images=frames[1:], quality=50, duration=10
    )


def _exif_that_loops() -> bytes:
    # One directory of no entries, whose next directory is itself.
    return b"Exif\0\0MM\0*\0\0\0\x08" + b"\0\0" + b"\0\0\0\x08"


HOSTILE: Final[dict[str, tuple[ContentType, Callable[[], bytes]]]] = {
    "empty": ("image/jpeg", lambda: b""),
    "zeros": ("image/png", lambda: bytes(MEGABYTE)),
    "only the magic of a JPEG": ("image/jpeg", lambda: b"\xff\xd8\xff" + bytes(1000)),
    "only the magic of a HEIC": ("image/heic", lambda: b"\0\0\0\x18ftypheic" + bytes(1000)),
    "GIF that is a JPEG": ("image/jpeg", lambda: b"GIF89a" + pictures.jpeg()),
    "JPEG that is a ZIP": ("image/jpeg", lambda: pictures.jpeg() + b"PK\3\4" + bytes(MEGABYTE)),
    "JPEG that is a PDF": ("image/jpeg", lambda: jpeg_with(0xFE, b"%PDF-1.7\n1 0 obj <<>>")),
    "JPEG that is a page": ("image/jpeg", lambda: jpeg_with(0xFE, b"<script>alert(1)</script>")),
    "PNG that is a page": ("image/png", lambda: png_with(b"tEXt", b"a\0<script>alert(1)</script>")),
    "two JPEGs": ("image/jpeg", lambda: pictures.jpeg() * 2),
    "giant EXIF": ("image/jpeg", lambda: jpeg_with(0xE1, *[b"Exif\0\0" + bytes(65_000)] * 200)),
    "EXIF that loops": ("image/jpeg", lambda: jpeg_with(0xE1, _exif_that_loops())),
    "giant profile": (
        "image/jpeg",
        lambda: jpeg_with(
            0xE2, *(b"ICC_PROFILE\0" + bytes([n, 255]) + bytes(65_000) for n in range(1, 256))
        ),
    ),
    "profile that lies about its size": (
        "image/png",
        lambda: pictures.png(icc_profile=b"\xff\xff\xff\xff" + bytes(12) + b"RGB " + bytes(200)),
    ),
    "profile that is a bomb": ("image/png", lambda: png_with(b"iCCP", b"a\0\0" + _bomb())),
    "text that is a bomb": ("image/png", lambda: png_with(b"zTXt", b"a\0\0" + _bomb())),
    "a thousand texts": ("image/png", lambda: png_with(b"tEXt", *[b"a\0b"] * 1000)),
    "100 scans": ("image/jpeg", lambda: jpeg_of_scans(100)),
    "500 scans": ("image/jpeg", lambda: jpeg_of_scans(500)),
    "JPEG of no width": ("image/jpeg", lambda: jpeg_of_size(0, 100)),
    "JPEG of no height": ("image/jpeg", lambda: jpeg_of_size(100, 0)),
    "JPEG of one row": ("image/jpeg", lambda: jpeg_of_size(16_384, 1)),
    "JPEG larger than allowed": ("image/jpeg", lambda: jpeg_of_size(65_535, 65_535)),
    "JPEG as large as allowed": ("image/jpeg", lambda: jpeg_of_size(7000, 7000)),
    "PNG larger than any": ("image/png", lambda: png_of_size(2**31 - 1, 2**31 - 1)),
    "PNG as large as allowed": ("image/png", lambda: png_of_size(7000, 7000)),
    "WebP larger than allowed": ("image/webp", lambda: webp_of_size(16_000, 16_000)),
    "WebP as large as allowed": ("image/webp", lambda: webp_of_size(7000, 7000)),
    "HEIC larger than any": (
        "image/heic",
        lambda: heif_of_size(pictures.heic(), 2**32 - 1, 2**32 - 1),
    ),
    "HEIC as large as allowed": ("image/heic", lambda: heif_of_size(pictures.heic(), 7000, 7000)),
    "AVIF as large as allowed": ("image/avif", lambda: heif_of_size(pictures.avif(), 4000, 4000)),
    "sampling 4 × 1": ("image/jpeg", lambda: jpeg_of_sampling(0x41)),
    "sampling 3 × 1": ("image/jpeg", lambda: jpeg_of_sampling(0x31)),
    "sampling 0 × 0": ("image/jpeg", lambda: jpeg_of_sampling(0x00)),
    "thousands of frames in a PNG": ("image/png", lambda: _frames("PNG")),
    "thousands of frames in a WebP": ("image/webp", lambda: _frames("WEBP")),
}
