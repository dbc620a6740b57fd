"""Rendering: what goes into an image process and what comes out of it."""

from typing import Final

from msgspec import Struct

from domain.formats import ContentType
from domain.recipes import MAX_PIXELS, MAX_SIDE, VariantName

MIB: Final = 1 << 20


class Limits(Struct, frozen=True, kw_only=True):
    """What one picture may be and may cost.

    1.5 GiB of address space passes every legal picture of 50 megapixels; 1 GiB does not.
    """

    max_pixels: int = MAX_PIXELS
    max_side: int = MAX_SIDE
    max_bands: int = 5
    deadline_seconds: float = 30.0
    address_space_bytes: int = 1536 * MIB
    open_files: int = 64


class RenderedVariant(Struct, frozen=True, kw_only=True):
    """One JPEG, the quality it needed, and the milliseconds of fitting and encoding it."""

    variant: VariantName
    content: bytes
    sha256: str
    width: int
    height: int
    quality: int
    milliseconds: float


class Rendering(Struct, frozen=True, kw_only=True):
    """Everything that one original became: its size upright, its variants, what it cost."""

    content_type: ContentType
    width: int
    height: int
    variants: tuple[RenderedVariant, ...]
    step_milliseconds: dict[str, float]
    recipe_version: int
    encoder: str
