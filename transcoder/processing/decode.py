"""Decode: all pixels into memory once; later steps share them.

Samples have 8 bits, or 16 if the colour step converts them by a colour space.
"""

from typing import Final, NamedTuple

import cv2
import numpy as np
import pyvips

from domain.formats import ContentType
from transcoder.errors import CorruptImage
from transcoder.processing.colour.colour_space import ColourSpace, SourceColour
from transcoder.processing.colour.conversion import is_standard, standardise
from transcoder.processing.failure import failure_of
from transcoder.processing.fit import fit, resize, size_within
from transcoder.processing.flatten import flatten, flatten_lazily, unpremultiply
from transcoder.processing.heif.avif import check_coded, check_tiles
from transcoder.processing.heif.decoding import decode_heif
from transcoder.processing.heif.header import is_premultiplied
from transcoder.processing.jpeg.codec import check_seams, decode_jpeg, without_oddities
from transcoder.processing.jpeg.oddities import MOST_ODDITIES, without_oddity
from transcoder.processing.load import load
from transcoder.processing.picture import (
    AnyPicture,
    any_from_libvips,
    from_libvips,
    swap_channels_in_place,
)
from transcoder.processing.zeros import check_webp

_RGBA, _CMYK = 4, 4
_LEVELS, _DEEP_LEVELS = 256, 65_536
# A pixel with 16 bits a sample, and what it takes more than one with 8 where libheif decodes it.
_DEEP_BYTES, _DEEP_HEVC_BYTES = 6, 4
_HEVC: Final = frozenset({"image/heic", "image/heif"})


class Decoded(NamedTuple):
    """Pixels and what they mean; they have 16 bits only if that is a colour space."""

    picture: AnyPicture
    colour: SourceColour


def decode(
    content: bytes,
    content_type: ContentType,
    header: pyvips.Image,
    colour: SourceColour,
    *,
    box: int,
) -> Decoded:
    """Decode a file, not smaller than needed to fill a square of `box` pixels.

    Raises:
        CorruptImage: the pixel data is damaged.
        OutOfMemory: memory ran out.
    """
    if content_type in _HEVC:
        if isinstance(colour, ColourSpace):
            # Shrink first: fewer pixels to convert.
            whole = decode_heif(content, colour)
            return Decoded(fit(whole, max_width=box, max_height=box), colour)
        return Decoded(decode_heif(content), colour)
    if content_type == "image/jpeg":
        picture = decode_jpeg(content, header, box=box)
        if picture is not None:
            return Decoded(picture, colour)
        if header.bands == _CMYK:
            content = without_oddities(content)
        decoded = _decode_jpeg_with_libvips(content, colour, box=box)
        check_seams(np.asarray(decoded.picture, np.uint8), content, header)
        return decoded
    if content_type == "image/webp":
        check_webp(content, header.width * header.height)
    if content_type == "image/avif":
        check_coded(content, header.width * header.height)
    # Open it again: what libvips keeps for it is freed here, long before the last encode.
    image = load(content, content_type, **_scale(content_type, header, box))
    if content_type == "image/avif" and is_premultiplied(content):
        image = unpremultiply(image)
    decoded = _decode_with_libvips(image, colour, box=box)
    if content_type == "image/avif":
        check_tiles(content, decoded.picture)
    return decoded


def _decode_jpeg_with_libvips(content: bytes, colour: SourceColour, *, box: int) -> Decoded:
    for _ in range(MOST_ODDITIES):
        try:
            image = load(content, "image/jpeg", fail_on="warning")
            return _decode_with_libvips(image, colour, box=box)
        except CorruptImage as failure:
            mended = without_oddity(content, failure.reason)
        if mended is None:
            break
        content = mended
    return _decode_with_libvips(load(content, "image/jpeg"), colour, box=box)


def bytes_of_16_bits(
    header: pyvips.Image, content_type: ContentType, colour: SourceColour, *, box: int
) -> int:
    """The memory that a picture takes besides if it keeps 16 bits a sample until its conversion."""
    if not isinstance(colour, ColourSpace) or header.format != "ushort":
        return 0
    if content_type in _HEVC:
        return int(_DEEP_HEVC_BYTES * header.width * header.height)
    if content_type == "image/avif":
        # The decoder needs more, and has ended by then.
        return 0
    width, height = size_within(header.width, header.height, max_width=box, max_height=box)
    return _DEEP_BYTES * width * height


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


def _decode_with_libvips(image: pyvips.Image, colour: SourceColour, *, box: int) -> Decoded:
    try:
        return _decode_in_one_pass(_in_any_order(image), colour, box=box)
    except pyvips.Error as error:
        raise failure_of(error) from error


def _decode_in_one_pass(header: pyvips.Image, colour: SourceColour, *, box: int) -> Decoded:
    """Of a picture larger than the box, only some rows are in memory."""
    if isinstance(colour, ColourSpace):
        return Decoded(_decode_as_stored(header, colour, box=box), colour)
    profile = colour if is_standard(header) else None
    if is_standard(header) and header.bands == _RGBA and max(header.width, header.height) <= box:
        return Decoded(flatten(from_libvips(header), to_bgr=cv2.COLOR_RGBA2BGR), profile)
    if header.hasalpha():
        image = _fitted(flatten_lazily(standardise(header)), box)
    else:
        # Shrink first: fewer pixels to convert.
        image = standardise(_fitted(header, box))
    return Decoded(swap_channels_in_place(from_libvips(image)), profile)


def _decode_as_stored(image: pyvips.Image, space: ColourSpace, *, box: int) -> AnyPicture:
    """Keep all bits: rounded to 8 before their conversion, skies would have bands."""
    is_deep = image.format == "ushort"
    if image.hasalpha():
        image = flatten_lazily(image, white=space.white(_DEEP_LEVELS if is_deep else _LEVELS))
    return swap_channels_in_place(any_from_libvips(_fitted(image, box)))


def _fitted(image: pyvips.Image, box: int) -> pyvips.Image:
    size = size_within(image.width, image.height, max_width=box, max_height=box)
    return image if size == (image.width, image.height) else resize(image, size)
