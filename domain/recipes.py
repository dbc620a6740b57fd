"""Variant recipes: which three pictures every published post has, and what bounds each."""

from typing import Final, Literal, TypeAlias

from msgspec import Struct

VariantName: TypeAlias = Literal["thumbnail", "medium", "original"]

KB: Final = 1000
MB: Final = 1000 * KB


class Recipe(Struct, frozen=True, kw_only=True):
    """How one variant is made: a JPEG that fits a box and a byte cap.

    The picture is fitted into `max_width` × `max_height` pixels with its aspect kept and is
    never enlarged. It is encoded at `quality`, lowered only as far as `max_bytes` needs.
    """

    variant: VariantName
    max_width: int
    max_height: int
    quality: int
    max_bytes: int


# Raised whenever a recipe or the pipeline changes what comes out: events name the version
# that made a variant, so that it can be derived again and compared.
RECIPE_VERSION: Final = 2

THUMBNAIL: Final = Recipe(
    variant="thumbnail", max_width=150, max_height=150, quality=80, max_bytes=30 * KB
)
MEDIUM: Final = Recipe(
    variant="medium", max_width=600, max_height=600, quality=85, max_bytes=100 * KB
)
ORIGINAL: Final = Recipe(
    variant="original", max_width=4000, max_height=4000, quality=90, max_bytes=2 * MB
)

RECIPES: Final[tuple[Recipe, ...]] = (THUMBNAIL, MEDIUM, ORIGINAL)
VARIANT_CONTENT_TYPE: Final = "image/jpeg"

# What an original may be; the header is checked before any pixel is decoded.
MEGAPIXEL: Final = 1_000_000
MAX_PIXELS: Final = 50 * MEGAPIXEL
MAX_SIDE: Final = 16_384
