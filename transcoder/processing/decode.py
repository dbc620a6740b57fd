"""Decode: all pixels into memory once, with 8 bits a sample; later steps share them."""

from typing import Final, NamedTuple

import cv2
import pyvips

from domain.formats import ContentType
from transcoder.processing.colour import is_standard, profile_of, standardise
from transcoder.processing.failure import failure_of
from transcoder.processing.fit import resize, size_within
from transcoder.processing.flatten import flatten, flatten_lazily
from transcoder.processing.heif import decode_heif
from transcoder.processing.jpeg import decode_jpeg
from transcoder.processing.load import load
from transcoder.processing.picture import Picture, from_libvips, swap_channels_in_place

_RGBA: Final = 4
_HEVC: Final = frozenset({"image/heic", "image/heif"})


class Decoded(NamedTuple):
    """Pixels and their ICC profile; without one they are sRGB."""

    picture: Picture
    profile: bytes | None


def decode(content: bytes, content_type: ContentType, header: pyvips.Image, *, box: int) -> Decoded:
    """Decode a file, not smaller than needed to fill a square of `box` pixels.

    Raises:
        CorruptImage: the pixel data is damaged.
        OutOfMemory: memory ran out.
    """
    if content_type in _HEVC:
        return Decoded(decode_heif(content), profile_of(header))
    if content_type == "image/jpeg":
        picture = decode_jpeg(content, header, box=box)
        if picture is not None:
            return Decoded(picture, profile_of(header))
    # Open it again: what libvips keeps for it is freed here, long before the last encode.
    image = load(content, content_type, **_scale(content_type, header, box))
    try:
        return _decode_with_libvips(_in_any_order(image), box=box)
    except pyvips.Error as error:
        raise failure_of(error) from error


def _scale(content_type: ContentType, header: pyvips.Image, box: int) -> dict[str, float]:
    """Loader options: libwebp scales row by row, and holds three copies without a scale."""
    longer = max(header.width, header.height)
    return {"scale": box / longer} if content_type == "image/webp" and longer > box else {}


def _in_any_order(image: pyvips.Image) -> pyvips.Image:
    """Allow random access to an interlaced image, which libvips holds in memory anyway."""
    if image.get_typeof("interlaced"):
        image = image.copy()
        image.remove("vips-sequential")
    return image


def _decode_with_libvips(header: pyvips.Image, *, box: int) -> Decoded:
    """Decode in one pass: of a picture larger than the box, only some rows are in memory."""
    profile = profile_of(header) if is_standard(header) else None
    if is_standard(header) and header.bands == _RGBA and max(header.width, header.height) <= box:
        return Decoded(flatten(from_libvips(header), to_bgr=cv2.COLOR_RGBA2BGR), profile)
    if header.hasalpha():
        image = _fitted(flatten_lazily(standardise(header)), box)
    else:
        # Shrink first: fewer pixels to convert.
        image = standardise(_fitted(header, box))
    return Decoded(swap_channels_in_place(from_libvips(image)), profile)


def _fitted(image: pyvips.Image, box: int) -> pyvips.Image:
    size = size_within(image.width, image.height, max_width=box, max_height=box)
    return image if size == (image.width, image.height) else resize(image, size)
