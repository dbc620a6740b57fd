"""HEIF: decode the photos of iPhones, for which libvips has no codec."""

import re
from typing import Final, cast

import cv2
import numpy as np
import pillow_heif
from pillow_heif import options

from domain.formats import ContentType
from transcoder.errors import CorruptImage
from transcoder.processing.colour.colour_space import ColourSpace
from transcoder.processing.failure import failure_of
from transcoder.processing.flatten import flatten, flatten_lazily, unpremultiply
from transcoder.processing.heif.hevc import has_impossible_zeros
from transcoder.processing.heif.libheif import (
    GREY,
    HEVC,
    RGB,
    RGBA,
    HeifError,
    coded_pictures,
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

_EIGHT_BITS: Final = 8
# pillow-heif's names for grey with 8 bits, and with more.
_GREY_MODES: Final = ("L", "I")
# What libheif and its codecs hold at once, by chroma: with 8 bits, and with more. libaom, which
# decodes AVIF, holds several whole frames.
_HEVC_BYTES: Final = {"monochrome": (4.0, 7.0), "420": (4.0, 7.0), "422": (8.0, 14.0)}
_MOST_HEVC_BYTES: Final = (8.5, 15.0)
_AV1_BYTES: Final = {"monochrome": (13.0, 17.0), "420": (13.0, 17.0)}
_MOST_AV1_BYTES: Final = (16.0, 22.5)
_ALPHA_BYTES: Final = (3.0, 6.0)
# What pillow-heif says of reserved code points, and where they are: primaries, transfer, matrix.
_RESERVED: Final = "Unknown NCLX"
_CODE_POINTS: Final = re.compile(rb"(?<=colrnclx).{6}", re.DOTALL)
_UNSPECIFIED: Final = bytes((0, 2, 0, 2, 0, 2))
# The CPU seconds for each megapixel, likewise.
_HEVC_SECONDS: Final = {"monochrome": (0.024, 0.04), "420": (0.024, 0.04)}
_MOST_HEVC_SECONDS: Final = (0.036, 0.07)
_AV1_SECONDS: Final = {"monochrome": (0.03, 0.07), "420": (0.03, 0.07)}
_MOST_AV1_SECONDS: Final = (0.04, 0.09)
_ALPHA_SECONDS: Final = (0.02, 0.04)
# The type of the reference from an image multiplied by its alpha.
_PREMULTIPLIED: Final = b"prem"
# Pixels on a side of the smallest coding block, and how many have to be of one pure green.
_BLOCK: Final = 8
_SUSPICIOUS_BLOCKS: Final = 16
_ZEROS: Final = "zeros where coded pictures have none"
_EMPTY: Final = "some blocks could not be decoded"
_ERRORS: Final = (ValueError, EOFError, SyntaxError, RuntimeError, OSError, HeifError)

# Decode the primary image only.
options.THUMBNAILS = False
options.DEPTH_IMAGES = False
options.AUX_IMAGES = False


def open_heif(content: bytes) -> pillow_heif.HeifFile:
    """Open a file within the limits of libheif; its pixels are decoded on demand.

    Raises:
        CorruptImage: the header is invalid.
        TooComplex: it has more parts than libheif accepts.
    """
    try:
        return _open(content)
    except _ERRORS as error:
        raise failure_of(error) from error


def _open(content: bytes) -> pillow_heif.HeifFile:
    """Open it even if its code points are reserved ones, which the decoders ignore."""
    try:
        return pillow_heif.open_heif(content)
    except ValueError as error:
        if _RESERVED not in str(error):
            raise
    return pillow_heif.open_heif(_CODE_POINTS.sub(_UNSPECIFIED, content))


def heif_bytes_per_pixel(content: bytes, content_type: ContentType) -> float:
    """The memory that decoding a file takes for each pixel, by its header.

    Raises:
        CorruptImage: the header is invalid.
    """
    primary = open_heif(content)
    chroma = str(primary.info.get("chroma"))
    deep = is_deep(primary)
    if content_type == "image/avif":
        per_pixel = _AV1_BYTES.get(chroma, _MOST_AV1_BYTES)
    else:
        per_pixel = _HEVC_BYTES.get(chroma, _MOST_HEVC_BYTES)
    return per_pixel[deep] + (_ALPHA_BYTES[deep] if primary.has_alpha else 0)


def heif_cpu_seconds_per_megapixel(content: bytes, content_type: ContentType) -> float:
    """The CPU time that decoding a file takes for each megapixel, by its header.

    Raises:
        CorruptImage: the header is invalid.
    """
    primary = open_heif(content)
    chroma = str(primary.info.get("chroma"))
    deep = is_deep(primary)
    if content_type == "image/avif":
        seconds = _AV1_SECONDS.get(chroma, _MOST_AV1_SECONDS)
    else:
        seconds = _HEVC_SECONDS.get(chroma, _MOST_HEVC_SECONDS)
    return seconds[deep] + (_ALPHA_SECONDS[deep] if primary.has_alpha else 0)


def is_deep(primary: pillow_heif.HeifFile) -> bool:
    """Whether it has more than 8 bits a sample."""
    return bool(primary.info.get("bit_depth", _EIGHT_BITS) > _EIGHT_BITS)


def is_premultiplied(content: bytes) -> bool:
    """Whether the colours of the primary image are multiplied by its alpha."""
    return _PREMULTIPLIED in content and open_heif(content).premultiplied_alpha


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
    except _ERRORS as error:
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
