"""Claims: what a worker believes of a rendering, which the process that made it may have forged.

What it says becomes an event, keys of objects, rows and labels of metrics. Pictures may be wrong;
nothing else may.
"""

import hashlib
import math
import re
from typing import Final

from domain.recipes import MAX_SIDE, RECIPE_VERSION, RECIPES, Recipe
from transcoder.rendering import RenderedVariant, Rendering

_BLURHASH: Final = re.compile(r"[0-9A-Za-z#$%*+,.:;=?@\[\]^_{|}~-]{6,100}")
_COLOUR: Final = re.compile(r"#[0-9a-f]{6}")
_ENCODER: Final = re.compile(r"[\w .,+-]{1,500}", re.ASCII)
_STEPS: Final = frozenset({"sniff", "probe", "decode", "colour", "orient", "placeholder"}) | {
    f"{step} {recipe.variant}" for step in ("fit", "encode") for recipe in RECIPES
}
_MOST_MILLISECONDS: Final = 1e7


class ForgedReply(ValueError):
    """A rendering that no rendering of ours can be."""


def check(rendering: Rendering) -> None:
    """Check every claim that does not depend on the pixels.

    Raises:
        ForgedReply: one is impossible.
    """
    recipes = {recipe.variant: recipe for recipe in RECIPES}
    names = [variant.name for variant in rendering.variants]
    _require(sorted(names) == sorted(recipes))
    _require(all(1 <= side <= MAX_SIDE for side in (rendering.width, rendering.height)))
    _require(_BLURHASH.fullmatch(rendering.blurhash))
    _require(_COLOUR.fullmatch(rendering.dominant_colour))
    _require(rendering.step_milliseconds.keys() <= _STEPS)
    _require(all(map(_is_time, rendering.step_milliseconds.values())))
    for variant in rendering.variants:
        _check_variant(variant, recipes[variant.name])


def _check_variant(variant: RenderedVariant, recipe: Recipe) -> None:
    _require(1 <= variant.width <= recipe.max_width)
    _require(1 <= variant.height <= recipe.max_height)
    _require(variant.file_size == len(variant.content) <= recipe.max_bytes)
    _require(variant.sha256 == hashlib.sha256(variant.content).hexdigest())
    _require(1 <= variant.quality <= 100)  # noqa: PLR2004 - of a JPEG
    _require(variant.recipe_version == RECIPE_VERSION)
    _require(_ENCODER.fullmatch(variant.encoder))
    _require(_is_time(variant.milliseconds))


def _is_time(milliseconds: float) -> bool:
    return math.isfinite(milliseconds) and 0 <= milliseconds <= _MOST_MILLISECONDS


def _require(fact: object) -> None:
    if not fact:
        raise ForgedReply
