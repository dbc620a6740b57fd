"""Encode: a JPEG within its byte cap, at the highest quality that meets it."""

from typing import Final

from msgspec import Struct

from domain.recipes import THUMBNAIL, Recipe
from transcoder.processing.fit import fit
from transcoder.processing.jpeg.codec import encode_jpeg
from transcoder.processing.jpeg.size_forecast import SizeForecast
from transcoder.processing.picture import Picture

# Below this quality, artefacts are more visible than a smaller picture.
LOWEST_QUALITY: Final = 50
# Most photos need less at the highest quality, so encode them before paying for a forecast.
LIKELY_BYTES_PER_PIXEL: Final = 0.25
# How much one shrink takes from each side at most and at least.
_SHRINK_MOST, _SHRINK_LEAST = 0.5, 0.95


class Encoded(Struct, frozen=True, kw_only=True):
    """A JPEG and its settings; `width` and `height` in pixels.

    `shrunk`: it is smaller than its recipe, because no allowed quality met the byte cap.
    """

    content: bytes
    quality: int
    width: int
    height: int
    shrunk: bool


def encode(picture: Picture, recipe: Recipe) -> Encoded:
    """Encode a JPEG of at most `recipe.max_bytes`, without any metadata."""
    shrunk = False
    while True:
        quality, content = _best_within(picture, recipe)
        if len(content) <= recipe.max_bytes:
            height, width = picture.shape[:2]
            return Encoded(
                content=content, quality=quality, width=width, height=height, shrunk=shrunk
            )
        picture, shrunk = _smaller(picture, excess=len(content) / recipe.max_bytes), True


def _best_within(picture: Picture, recipe: Recipe) -> tuple[int, bytes]:
    """Encode at the highest quality that meets the cap, within one; at the lowest if none does."""
    own_codes = recipe.max_width <= THUMBNAIL.max_width
    forecast = SizeForecast(picture, own_codes=own_codes)
    lowest = min(LOWEST_QUALITY, recipe.quality)
    best: tuple[int, bytes] | None = None
    too_large = recipe.quality + 1
    quality = recipe.quality
    if not _fits_probably(picture, recipe):
        quality = forecast.highest_quality(recipe.max_bytes, at_least=lowest, at_most=quality)
    while best is None or quality > best[0]:
        content = encode_jpeg(picture, quality, own_codes=own_codes)
        if len(content) <= recipe.max_bytes:
            best = quality, content
        elif quality == lowest:
            return quality, content
        else:
            too_large = quality
        if best and best[0] == too_large - 1:
            return best
        forecast.learn(quality, len(content))
        quality = forecast.highest_quality(recipe.max_bytes, at_least=lowest, at_most=too_large - 1)
    return best


def _fits_probably(picture: Picture, recipe: Recipe) -> bool:
    height, width = picture.shape[:2]
    likely_bytes: float = height * width * LIKELY_BYTES_PER_PIXEL
    return likely_bytes <= recipe.max_bytes


def _smaller(picture: Picture, *, excess: float) -> Picture:
    scale = min(max(excess**-0.5, _SHRINK_MOST), _SHRINK_LEAST)
    height, width = picture.shape[:2]
    return fit(
        picture, max_width=max(1, int(width * scale)), max_height=max(1, int(height * scale))
    )
