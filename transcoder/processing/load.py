"""Load: open an original with the one loader for its type, without decoding any pixel."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pyvips

from domain.formats import HEIF_CONTENT_TYPES, ContentType
from domain.recipes import MAX_SIDE
from transcoder.errors import SideTooLong, TranscoderError
from transcoder.processing.failure import failure_of
from transcoder.processing.heif.header import open_heif
from transcoder.processing.jpeg.structure import structure_of

_TOO_LONG: Final = "Maximum supported image dimension"
_STRICT: Final[dict[str, str | float]] = {"fail_on": "error"}
# libvips allows fewer tiles than a large photo has; `load` checks the limits of libheif first.
_HEIF_LOADER: Final = partial(pyvips.Image.heifload_source, unlimited=True)
# By name: libvips would pick its UltraHDR loader for a JPEG with a gain map.
_LOADERS: Final[dict[ContentType, Callable[..., Any]]] = {
    "image/jpeg": pyvips.Image.jpegload_source,
    "image/png": pyvips.Image.pngload_source,
    # By default, libvips writes a large one to a temporary file, which the sandbox forbids.
    "image/webp": partial(pyvips.Image.webpload_source, memory=True),
    "image/heic": _HEIF_LOADER,
    "image/heif": _HEIF_LOADER,
    "image/avif": _HEIF_LOADER,
}


def load(content: bytes, content_type: ContentType, **options: str | float) -> pyvips.Image:
    """Open a file as a lazy image: its pixels are decoded when an operation needs them.

    `content` must outlive the image, which reads from it. `options` go to the loader; a WebP may
    have a `scale`.

    By default, libvips decodes damaged files half grey; `fail_on="warning"` refuses good ones, too.

    Raises:
        CorruptImage: the header is invalid.
        SideTooLong: it is a JPEG with a side that its decoder has no room for.
        TooComplex: it has more parts than we accept.
        OutOfMemory: memory ran out.
    """
    if content_type in HEIF_CONTENT_TYPES:
        open_heif(content)
    try:
        # A source reads the bytes in place; a buffer would copy them.
        source = pyvips.Source.new_from_memory(content)
        return _LOADERS[content_type](source, access="sequential", **_STRICT | options)
    except pyvips.Error as error:
        raise _too_long(content, str(error)) or failure_of(error) from error


def _too_long(content: bytes, reason: str) -> TranscoderError | None:
    """A JPEG may have 65,535 pixels on a side by its format, and 65,500 by libjpeg."""
    structure = structure_of(content) if _TOO_LONG in reason else None
    if structure is None:
        return None
    return SideTooLong(side=max(structure.width, structure.height), limit=MAX_SIDE)
