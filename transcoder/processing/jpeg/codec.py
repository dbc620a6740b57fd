"""JPEG: decode with libjpeg-turbo's own API, in half the time of libvips, and encode."""

from typing import Final

import cv2
import pyvips
import simplejpeg

from domain.recipes import MEGAPIXEL
from transcoder.errors import CorruptImage
from transcoder.processing.jpeg.oddities import MOST_ODDITIES, without_oddity
from transcoder.processing.jpeg.seams import is_torn
from transcoder.processing.jpeg.structure import structure_of
from transcoder.processing.picture import Picture

_GREY, _COLOUR = 1, 3
_COEFFICIENT_BYTES: Final = 2
# Of a pixel, by subsampling.
_CHROMA_SHARE: Final = {"422": 0.5, "440": 0.5, "420": 0.25, "411": 0.25}
_CHROMA_420: Final = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
# libjpeg scales by eighths while it decodes. From six eighths on, that costs more than a resize.
_WHOLE, _MOST_EIGHTHS = 8, 6
# Of a larger picture, libvips takes the pixels row by row: slower, but within the budget for the
# largest. A progressive one needs memory for all coefficients besides all pixels.
_MOST_PIXELS: Final = 70 * MEGAPIXEL
_MOST_PROGRESSIVE_PIXELS: Final = 30 * MEGAPIXEL


def decode_jpeg(content: bytes, header: pyvips.Image, *, box: int) -> Picture | None:
    """Decode a JPEG, or return None if libvips has to.

    libvips decodes CMYK, unusual subsampling and the largest progressive pictures.

    Args:
        content: the file.
        header: the same file as libvips has opened it.
        box: in pixels; a much larger picture is scaled while it is decoded, not below this.

    Raises:
        CorruptImage: pixels are missing or damaged.
    """
    if header.bands not in {_GREY, _COLOUR}:
        return None
    eighths = _eighths(header.width, header.height, box)
    if eighths == _WHOLE and _keeps_too_much(header):
        return None
    try:
        simplejpeg.decode_jpeg_header(content, strict=False)
    except ValueError:
        return None
    decoded = _without_oddities(content, header, eighths)
    if decoded is None:
        return None
    picture = decoded if header.bands == _COLOUR else decoded[:, :, 0]
    check_seams(picture, content, header)
    return picture


def check_seams(picture: Picture, content: bytes, header: pyvips.Image) -> None:
    """Check pixels for damage that no decoder can tell, unless they were resized meanwhile.

    Raises:
        CorruptImage: they are torn.
    """
    structure = structure_of(content)
    sides = [side * picture.shape[1] for side in structure.unit] if structure else []
    if sides and all(side % header.width == 0 for side in sides):
        width, height = (side // header.width for side in sides)
        if is_torn(picture, unit_width=width, unit_height=height):
            raise CorruptImage(reason="the picture is torn")


def without_oddities(content: bytes) -> bytes:
    """The same picture without what libjpeg warns of, for libvips, which reads less of the file.

    Raises:
        CorruptImage: pixels are missing or damaged.
    """
    for _ in range(MOST_ODDITIES):
        try:
            simplejpeg.decode_jpeg(
                content, colorspace="GRAY", min_width=1, min_height=1, min_factor=_WHOLE
            )
        except ValueError as error:
            mended = without_oddity(content, str(error))
        else:
            break
        if mended is None:
            break
        content = mended
    return content


def _without_oddities(content: bytes, header: pyvips.Image, eighths: int) -> Picture | None:
    for _ in range(MOST_ODDITIES):
        try:
            return _decoded(content, header, eighths, strict=True)
        except ValueError as error:
            mended = without_oddity(content, str(error))
        if mended is None:
            break
        content = mended
    try:
        return _decoded(content, header, eighths, strict=False)
    except ValueError:
        return None


def _decoded(content: bytes, header: pyvips.Image, eighths: int, *, strict: bool) -> Picture:
    picture: Picture = simplejpeg.decode_jpeg(
        content,
        colorspace="BGR" if header.bands == _COLOUR else "GRAY",
        min_width=header.width * eighths // _WHOLE,
        min_height=header.height * eighths // _WHOLE,
        min_factor=_WHOLE / eighths,
        strict=strict,
    )
    return picture


def jpeg_bytes_per_pixel(content: bytes, header: pyvips.Image, box: int) -> float:
    """The memory that decoding a file takes for each pixel, by its header.

    Odd sizes are decoded unscaled, and a progressive picture needs all its coefficients besides.
    """
    eighths = _eighths(header.width, header.height, box)
    if eighths < _WHOLE:
        pixels = _bytes_beyond_the_box(header, eighths, box)
    else:
        pixels = 0 if _keeps_too_much(header) else _COLOUR
    if not _in_passes(header):
        return pixels
    return pixels + _COEFFICIENT_BYTES * _samples(content, header.bands)


def _bytes_beyond_the_box(header: pyvips.Image, eighths: int, box: int) -> float:
    """What a scaled picture takes besides the largest variant, which every process has room for."""
    pixels: int = header.width * header.height
    return _COLOUR * max(0.0, (eighths / _WHOLE) ** 2 - box**2 / pixels)


def _samples(content: bytes, bands: int) -> float:
    """Samples per pixel: fewer than the bands if chroma is subsampled."""
    try:
        *_, subsampling = simplejpeg.decode_jpeg_header(content)
    except ValueError:
        return bands
    return bands - 2 * (1 - _CHROMA_SHARE.get(subsampling, 1)) if bands > _GREY else bands


def _in_passes(header: pyvips.Image) -> bool:
    return bool(header.get_typeof("interlaced"))


def _eighths(width: int, height: int, box: int) -> int:
    """The scale of each side; whole if scaling would leave part of a pixel at the edge."""
    longer = max(width, height)
    for eighths in range(1, _MOST_EIGHTHS + 1):
        if longer * eighths >= _WHOLE * box:
            return eighths if width * eighths % _WHOLE == height * eighths % _WHOLE == 0 else _WHOLE
    return _WHOLE


def _keeps_too_much(header: pyvips.Image) -> bool:
    pixels: int = header.width * header.height
    return pixels > (_MOST_PROGRESSIVE_PIXELS if _in_passes(header) else _MOST_PIXELS)


def encode_jpeg(picture: Picture, quality: int, *, own_codes: bool = False) -> bytes:
    """A baseline JPEG with 4:2:0 chroma, and nothing in it but pixels.

    With `own_codes` its Huffman codes are computed, not the standard ones: that saves 5-16 % of a
    thumbnail for 0.1 ms, but 1-3 % of a larger picture for twice the time.

    OpenCV encodes, because simplejpeg has no accurate DCT, which costs visible quality, and libvips
    is slow on small pictures.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, int(own_codes)]
    _, content = cv2.imencode(".jpg", picture, [*options, *_CHROMA_420])
    return content.tobytes()
