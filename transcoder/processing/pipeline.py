"""The pipeline: the list of steps from the bytes of an original to its variants."""

import hashlib
from typing import Final

import pyvips

from domain.formats import ContentType
from domain.recipes import RECIPE_VERSION, RECIPES, Recipe
from transcoder.processing.colour import convert_colour
from transcoder.processing.decode import decode
from transcoder.processing.encode import encode
from transcoder.processing.fingerprint import encoder_fingerprint
from transcoder.processing.fit import fit
from transcoder.processing.flatten import flatten
from transcoder.processing.load import load
from transcoder.processing.orient import orient
from transcoder.processing.probe import check_limits
from transcoder.processing.sniff import check_type
from transcoder.processing.stopwatch import Stopwatch
from transcoder.rendering import Limits, RenderedVariant, Rendering

# A variant may be made from another one that is this many times as large: nobody sees it.
LARGE_ENOUGH: Final = 2


def render(content: bytes, content_type: ContentType, limits: Limits) -> Rendering:
    """All variants of one original; each step is one line.

    Raises:
        TranscoderError: the leaf says what is wrong with the original, or what ran out.
    """
    watch = Stopwatch(deadline_seconds=limits.deadline_seconds)
    with watch.step("sniff"):
        check_type(content, content_type)
    with watch.step("probe"):
        image = load(content, content_type)
        check_limits(image, limits)
    with watch.step("decode"):
        decoded = image = decode(image)
    with watch.step("orient"):
        image = orient(image)
    with watch.step("colour"):
        image = convert_colour(image)
    with watch.step("flatten"):
        image = flatten(image)
    with watch.step("settle"):
        # libvips is lazy: work these steps out here, once, and not again for each variant.
        image = image if image is decoded else decode(image)
    variants = _render_variants(image, watch)
    return Rendering(
        content_type=content_type,
        width=image.width,
        height=image.height,
        variants=variants,
        step_milliseconds=watch.milliseconds,
        recipe_version=RECIPE_VERSION,
        encoder=encoder_fingerprint(),
    )


def _render_variants(image: pyvips.Image, watch: Stopwatch) -> tuple[RenderedVariant, ...]:
    """Largest first, each from the smallest picture at hand that is large enough."""
    pictures, variants = [image], []
    for recipe in sorted(RECIPES, key=lambda recipe: recipe.max_width, reverse=True):
        with watch.step(f"fit {recipe.variant}"):
            source = _source(pictures, recipe)
            picture = fit(source, max_width=recipe.max_width, max_height=recipe.max_height)
            pictures.append(picture)
        with watch.step(f"encode {recipe.variant}"):
            encoded = encode(picture, recipe)
        variants.append(
            RenderedVariant(
                variant=recipe.variant,
                content=encoded.content,
                sha256=hashlib.sha256(encoded.content).hexdigest(),
                width=encoded.width,
                height=encoded.height,
                quality=encoded.quality,
                milliseconds=watch.milliseconds[f"fit {recipe.variant}"]
                + watch.milliseconds[f"encode {recipe.variant}"],
            )
        )
    return tuple(variants)


def _source(pictures: list[pyvips.Image], recipe: Recipe) -> pyvips.Image:
    box = LARGE_ENOUGH * max(recipe.max_width, recipe.max_height)
    original, *smaller = pictures
    return next(
        (picture for picture in reversed(smaller) if max(picture.width, picture.height) >= box),
        original,
    )
