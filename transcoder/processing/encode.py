"""Encode: a JPEG within its byte cap, at the highest quality that meets it."""

from typing import Final

import pyvips
from msgspec import Struct

from domain.recipes import Recipe
from transcoder.processing.fit import fit

# Of EXIF, XMP, IPTC, profiles and gain maps.
NOTHING: Final = 0
# Below this, artefacts show more than missing pixels do: then the picture shrinks instead.
LOWEST_QUALITY: Final = 50
SHRINK_BY: Final = 0.85
# Optimal Huffman tables save bytes where they are scarce, and double the time on large pictures.
OPTIMISE_BELOW_PIXELS: Final = 1_000_000


class Encoded(Struct, frozen=True, kw_only=True):
    """A JPEG and what it took; `width` and `height` in pixels."""

    content: bytes
    quality: int
    width: int
    height: int


def encode(image: pyvips.Image, recipe: Recipe) -> Encoded:
    """The picture as a JPEG of at most `recipe.max_bytes`, with nothing in it but pixels."""
    quality, content = recipe.quality, _jpeg(image, recipe.quality)
    if len(content) > recipe.max_bytes:
        quality, content = _best_within(image, recipe)
    while len(content) > recipe.max_bytes:
        smaller_width = max(1, int(image.width * SHRINK_BY))
        image = fit(image, max_width=smaller_width, max_height=image.height)
        quality, content = LOWEST_QUALITY, _jpeg(image, LOWEST_QUALITY)
    return Encoded(content=content, quality=quality, width=image.width, height=image.height)


def _best_within(image: pyvips.Image, recipe: Recipe) -> tuple[int, bytes]:
    """The highest quality below the recipe's that meets the cap; the lowest if none does."""
    best = LOWEST_QUALITY, _jpeg(image, LOWEST_QUALITY)
    low, high = LOWEST_QUALITY + 1, recipe.quality - 1
    while low <= high and len(best[1]) <= recipe.max_bytes:
        middle = (low + high) // 2
        content = _jpeg(image, middle)
        if len(content) <= recipe.max_bytes:
            best, low = (middle, content), middle + 1
        else:
            high = middle - 1
    return best


def _jpeg(image: pyvips.Image, quality: int) -> bytes:
    content: bytes = image.jpegsave_buffer(
        Q=quality,
        keep=NOTHING,
        subsample_mode="on",
        optimize_coding=image.width * image.height < OPTIMISE_BELOW_PIXELS,
    )
    return content
