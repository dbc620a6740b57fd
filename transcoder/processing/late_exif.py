"""Late EXIF: a PNG may have it after its pixels, where libvips does not look."""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Final

import numpy as np
import pyvips

from domain.formats import ContentType
from transcoder.processing.jpeg import encode_jpeg

_CHUNK: Final = b"eXIf"
# Compressed pixels may contain the name of the chunk by chance.
_MOST_CANDIDATES: Final = 16
_PREFIX: Final = b"Exif\0\0"
_MOST_BYTES: Final = 65_533 - len(_PREFIX)


def with_late_exif(header: pyvips.Image, content: bytes, content_type: ContentType) -> pyvips.Image:
    """The header, with the EXIF that it lacks; the same header if there is none."""
    if content_type != "image/png" or header.get_typeof("exif-data"):
        return header
    exif = _late_exif(content)
    return _with_fields_of(header, _carrier(exif)) if exif else header


def _late_exif(content: bytes) -> bytes | None:
    """The body of the first intact chunk."""
    for at in islice(_positions(content), _MOST_CANDIDATES):
        end = at + 4 + int.from_bytes(content[at - 4 : at], "big")
        if zlib.crc32(content[at:end]) == int.from_bytes(content[end : end + 4], "big"):
            return content[at + 4 : end].removeprefix(_PREFIX)
    return None


def _positions(content: bytes) -> Iterator[int]:
    at = content.find(_CHUNK)
    while at >= 0:
        yield at
        at = content.find(_CHUNK, at + 1)


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
