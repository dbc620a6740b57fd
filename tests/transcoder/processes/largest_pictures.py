"""The largest pictures within the limits, of every kind that needs much memory."""

from collections.abc import Callable
from typing import Final

import pyvips
from PIL import Image

from domain.formats import ContentType
from tests.transcoder import pictures

WIDTH, HEIGHT = 8160, 6120
PROGRESSIVE: Final = {"interlace": True, "subsample_mode": "off"}
DEEP: Final = {"interlace": True, "bitdepth": 16, "compression": 1}


def smooth(width: int = WIDTH, height: int = HEIGHT, *, alpha: bool = False) -> pyvips.Image:
    """A picture that takes no room in a file, whatever its size."""
    across = pyvips.Image.xyz(width, height)[0] * (255 / width)
    picture = across.bandjoin([across.flip("horizontal"), across, *([200] if alpha else [])])
    return picture.cast("uchar").copy(interpretation="srgb")


def deep(picture: pyvips.Image) -> pyvips.Image:
    return (picture.cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")


def heic(picture: pyvips.Image) -> bytes:
    as_pillow = Image.fromarray(picture.numpy())
    return pictures.heic(as_pillow, quality=20, enc_params={"preset": "ultrafast"})


COSTLY: Final[dict[str, tuple[ContentType, Callable[[], bytes]]]] = {
    "progressive 4:4:4 JPEG": ("image/jpeg", lambda: smooth().jpegsave_buffer(**PROGRESSIVE)),
    "square progressive 4:4:4 JPEG": (
        "image/jpeg",
        lambda: smooth(7070, 7070).jpegsave_buffer(**PROGRESSIVE),
    ),
    "16-bit interlaced PNG": ("image/png", lambda: deep(smooth()).pngsave_buffer(**DEEP)),
    "lossy WebP": ("image/webp", lambda: smooth(alpha=True).webpsave_buffer(effort=0)),
    "lossless WebP": (
        "image/webp",
        lambda: smooth(alpha=True).webpsave_buffer(effort=0, lossless=True),
    ),
    "HEIC": ("image/heic", lambda: heic(smooth())),
}
# Nobody makes these but to see what happens.
TOO_COSTLY: Final[dict[str, tuple[ContentType, Callable[[], bytes]]]] = {
    "16-bit interlaced PNG with alpha": (
        "image/png",
        lambda: deep(smooth(alpha=True)).pngsave_buffer(**DEEP),
    ),
    "progressive CMYK JPEG": (
        "image/jpeg",
        lambda: smooth().colourspace("cmyk").jpegsave_buffer(interlace=True),
    ),
    "AVIF": ("image/avif", lambda: smooth().heifsave_buffer(compression="av1", effort=0)),
}
