"""Late EXIF: a PNG may have it after its pixels, where libvips does not look."""

from contextlib import suppress
from typing import Final

import numpy as np
import pyvips

from domain.formats import ContentType
from transcoder.processing.jpeg.codec import encode_jpeg
from transcoder.processing.png.chunks import chunk_anywhere

_PREFIX: Final = b"Exif\0\0"
_MOST_BYTES: Final = 65_533 - len(_PREFIX)


def with_late_exif(header: pyvips.Image, content: bytes, content_type: ContentType) -> pyvips.Image:
    """The header, with the EXIF that it lacks; the same header if there is none."""
    if content_type != "image/png" or header.get_typeof("exif-data"):
        return header
    exif = (chunk_anywhere(content, b"eXIf") or b"").removeprefix(_PREFIX)
    return _with_fields_of(header, _carrier(exif)) if exif else header


def _carrier(exif: bytes) -> pyvips.Image:
    """A JPEG with that EXIF, because libvips reads none without a picture."""
    body = _PREFIX + exif[:_MOST_BYTES]
    segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    picture = encode_jpeg(np.zeros((1, 1, 3), np.uint8), quality=1)
    return pyvips.Image.jpegload_buffer(picture[:2] + segment + picture[2:])


def _with_fields_of(header: pyvips.Image, carrier: pyvips.Image) -> pyvips.Image:
    header = header.copy()
    for field in carrier.get_fields():
        # A damaged tag may be no text.
        with suppress(UnicodeDecodeError):
            if field == "orientation" or field.startswith("exif-"):
                header.set_type(carrier.get_typeof(field), field, carrier.get(field))
    return header
