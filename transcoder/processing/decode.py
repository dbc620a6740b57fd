"""Decode: all pixels into memory, once, 8 bits each; every later step shares them."""

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
from transcoder.processing.picture import Picture, from_libvips, reverse_channels

_RGBA: Final = 4
_HEVC: Final = frozenset({"image/heic", "image/heif"})


class Decoded(NamedTuple):
    """Pixels, and the profile that says which colours they mean; without one it is sRGB."""

    picture: Picture
    profile: bytes | None


def decode(content: bytes, content_type: ContentType, header: pyvips.Image, *, box: int) -> Decoded:
    """The pixels of a file, no smaller than they are needed to fill a square of `box` pixels.

    Raises:
        CorruptImage: the pixel data is damaged.
        OutOfMemory: there is not enough of it.
    """
    if content_type in _HEVC:
        return Decoded(decode_heif(content), profile_of(header))
    if content_type == "image/jpeg":
        picture = decode_jpeg(content, header, box=box)
        if picture is not None:
            return Decoded(picture, profile_of(header))
    # Opened anew, so that what libvips keeps of it is freed with it, long before the last encode.
    image = load(content, content_type, **_scale(content_type, header, box))
    try:
        return _decode_with_libvips(_in_any_order(image), box=box)
    except pyvips.Error as error:
        raise failure_of(error) from error


def _scale(content_type: ContentType, header: pyvips.Image, box: int) -> dict[str, float]:
    """Options of the loader: libwebp scales row by row, and otherwise keeps three pictures."""
    longer = max(header.width, header.height)
    return {"scale": box / longer} if content_type == "image/webp" and longer > box else {}


def _in_any_order(image: pyvips.Image) -> pyvips.Image:
    """Say of an interlaced image, which libvips keeps whole, that its rows need no second cache."""
    if image.get_typeof("interlaced"):
        image = image.copy()
        image.remove("vips-sequential")
    return image


def _decode_with_libvips(header: pyvips.Image, *, box: int) -> Decoded:
    """In one pass over the file: a picture larger than the box never is in memory as a whole."""
    profile = profile_of(header) if is_standard(header) else None
    if is_standard(header) and header.bands == _RGBA and max(header.width, header.height) <= box:
        return Decoded(flatten(from_libvips(header), to_bgr=cv2.COLOR_RGBA2BGR), profile)
    if header.hasalpha():
        image = _fitted(flatten_lazily(standardise(header)), box)
    else:
        # The fewer pixels, the fewer colours to convert.
        image = standardise(_fitted(header, box))
    return Decoded(reverse_channels(from_libvips(image)), profile)


def _fitted(image: pyvips.Image, box: int) -> pyvips.Image:
    size = size_within(image.width, image.height, max_width=box, max_height=box)
    return image if size == (image.width, image.height) else resize(image, size)
