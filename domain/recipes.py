"""Variant recipes: which pictures a published post has, and what bounds each."""

from typing import Final, TypeAlias

from msgspec import Struct

# Open, so that code reads the events of a newer recipe version during a deployment.
VariantName: TypeAlias = str

KB: Final = 1000
MB: Final = 1000 * KB


class Recipe(Struct, frozen=True, kw_only=True):
    """How one variant is made: a JPEG that fits a box and a byte cap.

    The picture is scaled down to fit `max_width` × `max_height` pixels, keeping its aspect ratio,
    and never enlarged. It is encoded at `quality`, or at the highest one that meets `max_bytes`.
    """

    variant: VariantName
    max_width: int
    max_height: int
    quality: int
    max_bytes: int


THUMBNAIL: Final = Recipe(
    variant="thumbnail", max_width=150, max_height=150, quality=80, max_bytes=30 * KB
)
MEDIUM: Final = Recipe(
    variant="medium", max_width=600, max_height=600, quality=85, max_bytes=100 * KB
)
ORIGINAL: Final = Recipe(
    variant="original", max_width=4000, max_height=4000, quality=90, max_bytes=2 * MB
)

# Every version ever used: events name the version that made a variant and are judged by its set.
# Add one whenever a recipe or the pipeline changes the bytes that come out.
RECIPE_SETS: Final[dict[int, tuple[Recipe, ...]]] = {
    1: (THUMBNAIL, MEDIUM, ORIGINAL),
    2: (THUMBNAIL, MEDIUM, ORIGINAL),
    3: (THUMBNAIL, MEDIUM, ORIGINAL),
}
RECIPE_VERSION: Final = max(RECIPE_SETS)
RECIPES: Final = RECIPE_SETS[RECIPE_VERSION]
VARIANT_CONTENT_TYPE: Final = "image/jpeg"

# Limits of an original, checked in the header before any pixel is decoded.
MEGAPIXEL: Final = 1_000_000
# Phones take photos of "108 megapixels" with 12,032 × 9,024.
MAX_PIXELS: Final = 110 * MEGAPIXEL
# The longest of a JPEG; panoramas of phones have 16,382 and more.
MAX_SIDE: Final = 65_500


def variants_of(recipe_version: int) -> frozenset[VariantName] | None:
    """The variants of a complete post; None if this code does not know the version."""
    recipes = RECIPE_SETS.get(recipe_version)
    return frozenset(recipe.variant for recipe in recipes) if recipes else None
