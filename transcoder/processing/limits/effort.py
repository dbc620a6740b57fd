"""Effort: the CPU seconds that a picture takes, by its header; measured for each type.

Only what the header promises counts. Decoding a byte costs CPU, too, but never more than 0.3 s for
each megabyte sent.
"""

import re
from math import inf
from typing import Final

import pyvips

from domain.formats import ContentType
from domain.recipes import MEGAPIXEL
from transcoder.processing.heif.budget import heif_cpu_seconds

# Seconds for each megapixel, from `just bench-cpu`.
_BASELINE: Final = 0.014
_CMYK: Final = 0.03
# Each scan of a progressive JPEG passes over all coefficients once more.
_PROGRESSIVE, _SCAN = 0.01, 0.001
_PNG, _PNG_CHANNEL_BYTE, _INTERLACED = 0.008, 0.002, 0.014
_WEBP: Final = 0.025
_CMYK_BANDS: Final = 4
# Ten are usual. With thousands, the scans of the tiniest picture cost minutes.
_MOST_SCANS: Final = 1000
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Coded data has only stuffed zeros and restart markers after FF.
_MARKER: Final = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)


def cpu_seconds(content: bytes, content_type: ContentType, header: pyvips.Image) -> float:
    """The CPU seconds that rendering takes at most, if the file has hardly any bytes.

    Raises:
        CorruptImage: the header is invalid to its decoder.
    """
    match content_type:
        case "image/jpeg":
            per_megapixel = _jpeg(content, header)
        case "image/png":
            per_megapixel = _png(header)
        case "image/webp":
            per_megapixel = _WEBP
        case "image/avif" | "image/heic" | "image/heif":
            return heif_cpu_seconds(content, content_type)
    return per_megapixel * float(header.width * header.height / MEGAPIXEL)


def _jpeg(content: bytes, header: pyvips.Image) -> float:
    inks = _CMYK if header.bands == _CMYK_BANDS else 0
    return inks + (_progressive(scans(content)) if _in_passes(header) else _BASELINE)


def _png(header: pyvips.Image) -> float:
    bytes_per_sample = 1 if header.format == "uchar" else 2
    rows: float = _PNG + _PNG_CHANNEL_BYTE * header.bands * bytes_per_sample
    return rows + (_INTERLACED if _in_passes(header) else 0)


def _in_passes(header: pyvips.Image) -> bool:
    return bool(header.get_typeof("interlaced"))


def _progressive(count: int) -> float:
    return _PROGRESSIVE + _SCAN * count if count <= _MOST_SCANS else inf


def scans(content: bytes) -> int:
    """The scans of a JPEG; those of thumbnails and of pictures behind it do not count.

    Counting ends at the first that is too many.
    """
    count, at = 0, 2
    while count <= _MOST_SCANS and (found := _MARKER.search(content, at)):
        marker = found[1][0]
        if marker == _END_OF_IMAGE:
            break
        count += marker == _START_OF_SCAN
        # Skip the segment: its body may look like anything.
        at = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
    return count
