"""The largest pictures that are accepted, of every kind that needs much memory."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
import pillow_heif
import pyvips
from PIL import Image

from domain.formats import ContentType
from tests.transcoder import pictures
from transcoder.processing.limits.memory import memory_needed
from transcoder.processing.load import load
from transcoder.rendering import MIB, Limits

WIDTH, HEIGHT = 8160, 6120
# The largest photos of phones and their panoramas.
PHONE: Final = (12_032, 9_024)
PANORAMA: Final = (16_382, 3_932)
BOX: Final = 4000
MAX_UPLOAD_BYTES: Final = 50_000_000
PROGRESSIVE: Final = {"interlace": True, "subsample_mode": "off"}
DEEP: Final = {"interlace": True, "bitdepth": 16, "compression": 1}
AV1: Final = {"compression": "av1", "effort": 0}


class Kind(NamedTuple):
    """Files of one kind, by width and height in pixels."""

    content_type: ContentType
    make: Callable[[int, int], bytes]


def smooth(width: int = WIDTH, height: int = HEIGHT, *, alpha: bool = False) -> pyvips.Image:
    """A picture that takes no room in a file, whatever its size."""
    across = pyvips.Image.xyz(width, height)[0] * (255 / width)
    picture = across.bandjoin([across.flip("horizontal"), across, *([200] if alpha else [])])
    return picture.cast("uchar").copy(interpretation="srgb")


def deep(picture: pyvips.Image) -> pyvips.Image:
    """The same with 16 bits a sample."""
    return (picture.cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")


def cmyk(width: int, height: int) -> pyvips.Image:
    """A picture of four inks."""
    return smooth(width, height, alpha=True).copy(interpretation="cmyk")


def _x265() -> dict[str, Any]:
    # New each time: pillow-heif adds the chroma of one file to the parameters of the next.
    return {"quality": 20, "enc_params": {"preset": "ultrafast"}}


def heic(picture: pyvips.Image, **options: object) -> bytes:
    """The picture as HEIC, with as little effort as possible."""
    return pictures.heic(Image.fromarray(picture.numpy()), **_x265(), **options)


def deep_heic(picture: pyvips.Image, **options: object) -> bytes:
    """The picture as HEIC with 10 bits a sample."""
    samples = deep(picture).numpy().astype(np.uint16).tobytes()
    mode = "RGBA;16" if picture.hasalpha() else "RGB;16"
    file = pillow_heif.from_bytes(mode, (picture.width, picture.height), samples)
    return pictures.saved_heic(file, **_x265(), **options)


# These are accepted at 50 megapixels.
COSTLY: Final[dict[str, Kind]] = {
    "progressive 4:4:4 JPEG": Kind(
        "image/jpeg", lambda w, h: smooth(w, h).jpegsave_buffer(**PROGRESSIVE)
    ),
    "odd progressive 4:4:4 JPEG": Kind(
        "image/jpeg", lambda w, h: smooth(w + 1, h - 1).jpegsave_buffer(**PROGRESSIVE)
    ),
    "square progressive 4:4:4 JPEG": Kind(
        "image/jpeg",
        lambda w, h: smooth(*[int((w * h) ** 0.5)] * 2).jpegsave_buffer(**PROGRESSIVE),
    ),
    "16-bit interlaced PNG": Kind(
        "image/png", lambda w, h: deep(smooth(w, h)).pngsave_buffer(**DEEP)
    ),
    "lossy WebP": Kind(
        "image/webp", lambda w, h: smooth(w, h, alpha=True).webpsave_buffer(effort=0)
    ),
    "lossless WebP": Kind(
        "image/webp",
        lambda w, h: smooth(w, h, alpha=True).webpsave_buffer(effort=0, lossless=True),
    ),
    "HEIC": Kind("image/heic", lambda w, h: heic(smooth(w, h))),
}
# These are refused at 50 megapixels; they are rare.
TOO_COSTLY: Final[dict[str, Kind]] = {
    "16-bit interlaced PNG with alpha": Kind(
        "image/png", lambda w, h: deep(smooth(w, h, alpha=True)).pngsave_buffer(**DEEP)
    ),
    "progressive CMYK JPEG": Kind(
        "image/jpeg",
        lambda w, h: cmyk(w, h).jpegsave_buffer(interlace=True),
    ),
    "AVIF": Kind("image/avif", lambda w, h: smooth(w, h).heifsave_buffer(**AV1)),
    "10-bit AVIF": Kind(
        "image/avif", lambda w, h: deep(smooth(w, h)).heifsave_buffer(**AV1, bitdepth=10)
    ),
}
# These are accepted with the sizes of phones, or as large as their type may be at all.
LARGEST: Final[dict[str, Kind]] = {
    "JPEG of 108 megapixels": Kind("image/jpeg", lambda *_: smooth(*PHONE).jpegsave_buffer(Q=80)),
    "odd JPEG of 108 megapixels": Kind(
        "image/jpeg", lambda *_: smooth(PHONE[0] + 1, PHONE[1] - 1).jpegsave_buffer(Q=80)
    ),
    "CMYK JPEG of 108 megapixels": Kind(
        "image/jpeg", lambda *_: cmyk(*PHONE).jpegsave_buffer(Q=80)
    ),
    "JPEG panorama": Kind("image/jpeg", lambda *_: smooth(*PANORAMA).jpegsave_buffer(Q=80)),
    "JPEG of 70 megapixels, unscaled": Kind(
        "image/jpeg", lambda *_: smooth(65_499, 1_067).jpegsave_buffer(Q=80)
    ),
    "progressive JPEG of 100 megapixels": Kind(
        "image/jpeg", lambda *_: smooth(11_600, 8_600).jpegsave_buffer(Q=80, interlace=True)
    ),
    "PNG of 108 megapixels": Kind(
        "image/png", lambda *_: smooth(*PHONE, alpha=True).pngsave_buffer(compression=1)
    ),
    "WebP of 78 megapixels": Kind(
        "image/webp",
        lambda *_: smooth(10_190, 7_640).webpsave_buffer(effort=0, lossless=True),
    ),
    "HEIC of 78 megapixels": Kind("image/heic", lambda *_: heic(smooth(10_190, 7_640))),
    "AVIF of 24 megapixels": Kind(
        "image/avif", lambda *_: smooth(5_656, 4_240).heifsave_buffer(**AV1)
    ),
}
# The costliest structure of each type, accepted with any size in bytes.
COSTLIEST: Final[dict[str, Kind]] = {
    "progressive CMYK JPEG": Kind(
        "image/jpeg", lambda w, h: cmyk(w, h).jpegsave_buffer(interlace=True)
    ),
    "16-bit interlaced PNG with alpha": Kind(
        "image/png", lambda w, h: deep(smooth(w, h, alpha=True)).pngsave_buffer(**DEEP)
    ),
    "lossless WebP": Kind(
        "image/webp",
        lambda w, h: smooth(w, h, alpha=True).webpsave_buffer(effort=0, lossless=True),
    ),
    "4:4:4 10-bit HEIC with alpha": Kind(
        "image/heic", lambda w, h: deep_heic(smooth(w, h, alpha=True), chroma=444)
    ),
    "4:4:4 12-bit AVIF with alpha": Kind(
        "image/avif",
        lambda w, h: deep(smooth(w, h, alpha=True)).heifsave_buffer(
            **AV1, bitdepth=12, subsample_mode="off"
        ),
    ),
}
# The benchmark measures these besides.
OTHERS: Final[dict[str, Kind]] = {
    "baseline JPEG": Kind("image/jpeg", lambda w, h: smooth(w, h).jpegsave_buffer(Q=80)),
    "odd baseline JPEG, Display P3": Kind(
        "image/jpeg", lambda w, h: smooth(w + 1, h - 1).jpegsave_buffer(Q=80, profile="p3")
    ),
    "baseline CMYK JPEG": Kind("image/jpeg", lambda w, h: cmyk(w, h).jpegsave_buffer(Q=80)),
    "progressive 4:2:0 JPEG": Kind(
        "image/jpeg", lambda w, h: smooth(w + 1, h - 1).jpegsave_buffer(Q=80, interlace=True)
    ),
    "progressive JPEG of 30 megapixels": Kind(
        "image/jpeg", lambda *_: smooth(6321, 4741).jpegsave_buffer(**PROGRESSIVE)
    ),
    "PNG with alpha": Kind(
        "image/png", lambda w, h: smooth(w, h, alpha=True).pngsave_buffer(compression=1)
    ),
    "16-bit PNG with alpha": Kind(
        "image/png",
        lambda w, h: deep(smooth(w, h, alpha=True)).pngsave_buffer(bitdepth=16, compression=1),
    ),
    "interlaced PNG with alpha": Kind(
        "image/png",
        lambda w, h: smooth(w, h, alpha=True).pngsave_buffer(compression=1, interlace=True),
    ),
    "lossless WebP that is not scaled": Kind(
        "image/webp",
        lambda *_: smooth(BOX, BOX, alpha=True).webpsave_buffer(effort=0, lossless=True),
    ),
    "HEIC with alpha": Kind("image/heic", lambda w, h: heic(smooth(w, h, alpha=True))),
    "4:2:2 HEIC": Kind("image/heic", lambda w, h: heic(smooth(w, h), chroma=422)),
    "4:4:4 HEIC": Kind("image/heic", lambda w, h: heic(smooth(w, h), chroma=444)),
    "10-bit HEIC": Kind("image/heic", lambda w, h: deep_heic(smooth(w, h))),
    "4:4:4 AVIF": Kind(
        "image/avif", lambda w, h: smooth(w, h).heifsave_buffer(**AV1, subsample_mode="off")
    ),
    "4:4:4 10-bit AVIF": Kind(
        "image/avif",
        lambda w, h: deep(smooth(w, h)).heifsave_buffer(**AV1, bitdepth=10, subsample_mode="off"),
    ),
}


@cache
def made_once(kind: Kind) -> bytes:
    """A file of 50 megapixels, or of what its kind says; making one takes seconds."""
    content = kind.make(WIDTH, HEIGHT)
    assert len(content) <= MAX_UPLOAD_BYTES
    return content


@cache
def largest_accepted(kind: Kind) -> bytes:
    """A file with as many pixels as the header check lets pass."""
    content = made_once(kind)
    needed, limit = needed_bytes(content, kind), Limits().memory_bytes
    if needed <= limit:
        return content
    # Sides in steps of 8, so that a JPEG could be scaled while it is decoded.
    without_pixels = 185 * MIB
    scale = ((limit - without_pixels) / (needed - without_pixels)) ** 0.5
    content = kind.make(int(WIDTH * scale) // 8 * 8, int(HEIGHT * scale) // 8 * 8)
    assert 0.9 * limit < needed_bytes(content, kind) <= limit
    return content


def needed_bytes(content: bytes, kind: Kind) -> int:
    """What the header check says that a file needs."""
    return memory_needed(content, kind.content_type, load(content, kind.content_type), BOX)
