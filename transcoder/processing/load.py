"""Load: open an original with the one loader for its type; no pixel is decoded yet."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pyvips

from domain.formats import ContentType
from transcoder.processing.failure import failure_of

# Named, not guessed: a JPEG with a gain map must not go to libvips' UltraHDR loader.
_LOADERS: Final[dict[ContentType, Callable[..., Any]]] = {
    "image/jpeg": pyvips.Image.jpegload_source,
    "image/png": pyvips.Image.pngload_source,
    # Left alone, libvips writes a large one to a temporary file, which the sandbox forbids.
    "image/webp": partial(pyvips.Image.webpload_source, memory=True),
    "image/heic": pyvips.Image.heifload_source,
    "image/heif": pyvips.Image.heifload_source,
    "image/avif": pyvips.Image.heifload_source,
}


def load(content: bytes, content_type: ContentType, **options: float) -> pyvips.Image:
    """Open a file as an image whose pixels are decoded when an operation asks for them.

    `content` must outlive the image, which reads from it. `options` go to the loader; a WebP may
    have a `scale`.

    `fail_on="error"`: the default shows damaged files half grey, and "warning" refuses good ones.

    Raises:
        CorruptImage: the header makes no sense.
        OutOfMemory: there is not enough of it even for the header.
    """
    try:
        # A source reads the bytes where they are; a buffer would be a copy of all of them.
        source = pyvips.Source.new_from_memory(content)
        return _LOADERS[content_type](source, access="sequential", fail_on="error", **options)
    except pyvips.Error as error:
        raise failure_of(error) from error
