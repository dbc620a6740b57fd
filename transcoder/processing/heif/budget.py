"""The budget of a HEIC or AVIF: the memory and the CPU that its decoder takes, by its header."""

from typing import Final, TypeAlias

from domain.formats import ContentType
from domain.recipes import MEGAPIXEL
from transcoder.processing.failure import failure_of
from transcoder.processing.heif.extent import Extent, extent_of
from transcoder.processing.heif.header import is_deep, open_heif
from transcoder.processing.heif.libheif import HeifError

# With 8 bits a sample, and with more.
_Cost: TypeAlias = tuple[float, float]
# By chroma, and the most of any.
_Costs: TypeAlias = tuple[dict[str, _Cost], _Cost]

# What libheif and its codecs hold at once, for HEVC and for AV1. libaom, which decodes AVIF, holds
# several whole frames.
_BYTES: Final[tuple[_Costs, _Costs]] = (
    ({"monochrome": (4.0, 7.0), "420": (4.0, 7.0), "422": (8.0, 14.0)}, (8.5, 15.0)),
    ({"monochrome": (13.0, 17.0), "420": (13.0, 17.0)}, (16.0, 22.5)),
)
_ALPHA_BYTES: Final = (3.0, 6.0)
# The CPU seconds for each megapixel, likewise.
_SECONDS: Final[tuple[_Costs, _Costs]] = (
    ({"monochrome": (0.024, 0.04), "420": (0.024, 0.04)}, (0.036, 0.07)),
    ({"monochrome": (0.03, 0.07), "420": (0.03, 0.07)}, (0.04, 0.09)),
)
_ALPHA_SECONDS: Final = (0.02, 0.04)


def heif_bytes(content: bytes, content_type: ContentType) -> int:
    """The memory that decoding a file takes.

    Raises:
        CorruptImage: the header is invalid.
    """
    per_pixel = _cost(content, content_type, _BYTES, _ALPHA_BYTES)
    return round(per_pixel * _extent(content).at_once)


def heif_cpu_seconds(content: bytes, content_type: ContentType) -> float:
    """The CPU time that decoding a file takes, in seconds.

    Raises:
        CorruptImage: the header is invalid.
    """
    per_megapixel = _cost(content, content_type, _SECONDS, _ALPHA_SECONDS)
    return per_megapixel * _extent(content).in_all / MEGAPIXEL


def _cost(
    content: bytes, content_type: ContentType, costs: tuple[_Costs, _Costs], alpha: _Cost
) -> float:
    """What each pixel costs, by chroma and depth, with that of alpha."""
    primary = open_heif(content)
    deep = is_deep(primary)
    by_chroma, most = costs[content_type == "image/avif"]
    cost = by_chroma.get(str(primary.info.get("chroma")), most)[deep]
    return cost + (alpha[deep] if primary.has_alpha else 0)


def _extent(content: bytes) -> Extent:
    try:
        return extent_of(content)
    except HeifError as error:
        raise failure_of(error) from error
