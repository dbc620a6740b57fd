"""HEIC: decode the photos of iPhones, for which libvips has no codec."""

from typing import Final, cast

import cv2
import numpy as np
import pillow_heif

from transcoder.errors import CorruptImage
from transcoder.processing.colour.colour_space import ColourSpace
from transcoder.processing.failure import failure_of
from transcoder.processing.flatten import flatten, flatten_lazily, unpremultiply
from transcoder.processing.heif.header import ERRORS, is_deep, open_heif
from transcoder.processing.heif.hevc import has_impossible_zeros
from transcoder.processing.heif.items import HEVC, coded_pictures
from transcoder.processing.heif.primary import (
    GREY,
    RGB,
    RGBA,
    decode_deep_primary,
    decode_primary,
    has_empty_blocks,
)
from transcoder.processing.picture import (
    AnyPicture,
    Picture,
    any_from_libvips,
    levels_of,
    swap_channels_in_place,
    to_libvips,
)

# pillow-heif's names for grey with 8 bits, and with more.
_GREY_MODES: Final = ("L", "I")
# Pixels on a side of the smallest coding block, and how many have to be of one pure green.
_BLOCK: Final = 8
_SUSPICIOUS_BLOCKS: Final = 16
_ZEROS: Final = "zeros where coded pictures have none"
_EMPTY: Final = "some blocks could not be decoded"


def decode_heif(content: bytes, space: ColourSpace | None = None) -> AnyPicture:
    """Decode the primary image, upright by the file's transformations.

    Samples have 8 bits, or 16 if there are more in the file and a colour space to convert from.

    Raises:
        CorruptImage: some of the pixel data is missing or damaged.
        OutOfMemory: memory ran out.
    """
    primary = open_heif(content)
    try:
        if any(map(has_impossible_zeros, coded_pictures(content, HEVC))):
            raise CorruptImage(reason=_ZEROS)
        picture = _decode(content, primary, is_deep=space is not None and is_deep(primary))
    except ERRORS as error:
        raise failure_of(error) from error
    if primary.has_alpha:
        return _flattened(picture, space, is_premultiplied=primary.premultiplied_alpha)
    return swap_channels_in_place(picture)


def _decode(content: bytes, primary: pillow_heif.HeifFile, *, is_deep: bool) -> AnyPicture:
    grey = primary.mode.startswith(_GREY_MODES)
    layout = RGBA if primary.has_alpha else GREY if grey else RGB
    decode = decode_deep_primary if is_deep else decode_primary
    picture = decode(content, layout)
    if grey or not _looks_empty(picture):
        return picture
    del picture
    if has_empty_blocks(content):
        raise CorruptImage(reason=_EMPTY)
    return decode(content, layout)


def _flattened(
    picture: AnyPicture, space: ColourSpace | None, *, is_premultiplied: bool
) -> AnyPicture:
    if space is None:
        shallow = cast("Picture", picture)
        return flatten(shallow, to_bgr=cv2.COLOR_RGBA2BGR, is_premultiplied=is_premultiplied)
    image = to_libvips(picture)
    if is_premultiplied:
        image = unpremultiply(image)
    white = space.white(levels_of(picture))
    return swap_channels_in_place(any_from_libvips(flatten_lazily(image, white=white)))


def _looks_empty(picture: AnyPicture) -> bool:
    """Whether many blocks have one green, which blocks that were not decoded have, too.

    libheif's decoder goes on after damage, until it finds what looks like the end of the picture.
    """
    blocks = picture[::_BLOCK, ::_BLOCK]
    greens = blocks[(blocks[..., 0] == 0) & (blocks[..., 2] == 0), 1]
    return bool(np.bincount(greens[greens > 0]).max(initial=0) >= _SUSPICIOUS_BLOCKS)
