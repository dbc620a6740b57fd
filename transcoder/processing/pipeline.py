"""The pipeline: the list of steps from the bytes of an original to its variants."""

import hashlib
from typing import Final

from domain.formats import ContentType
from domain.recipes import MEDIUM, RECIPE_VERSION, RECIPES, VARIANT_CONTENT_TYPE, Recipe
from domain.variants import MetadataKind
from transcoder.processing.colour.conversion import convert_colour
from transcoder.processing.decode import bytes_of_16_bits, decode
from transcoder.processing.encode import Encoded, encode
from transcoder.processing.fingerprint import encoder_fingerprint
from transcoder.processing.fit import fit
from transcoder.processing.limits.effort import cpu_seconds
from transcoder.processing.limits.heap import room_for
from transcoder.processing.limits.memory import memory_needed
from transcoder.processing.limits.probe import check_effort, check_memory, check_size
from transcoder.processing.limits.stopwatch import Stopwatch
from transcoder.processing.load import load
from transcoder.processing.orient import orient, upright_size
from transcoder.processing.original.metadata import metadata_kinds
from transcoder.processing.original.sniff import check_type
from transcoder.processing.original.source_colour import source_colour
from transcoder.processing.picture import Picture
from transcoder.processing.placeholder import placeholder_of
from transcoder.processing.png.late_exif import with_late_exif
from transcoder.rendering import Limits, RenderedVariant, Rendering

_LARGEST_FIRST: Final = sorted(RECIPES, key=lambda recipe: recipe.max_width, reverse=True)
# The largest variant fits a square of this side, so no step needs more pixels.
_BOX: Final = _LARGEST_FIRST[0].max_width


def render(content: bytes, announced: ContentType, limits: Limits) -> Rendering:
    """Make all variants of one original; each step is one line.

    Raises:
        TranscoderError: the leaf class names what is wrong with the original, or what ran out.
    """
    watch = Stopwatch(deadline_seconds=limits.deadline_seconds)
    with watch.step("sniff"):
        content_type = check_type(content, announced, limits)
    with watch.step("probe"):
        header = with_late_exif(load(content, content_type), content, content_type)
        check_size(header, limits)
        colour = source_colour(content, content_type, header)
        needed = memory_needed(content, content_type, header, _BOX)
        needed += bytes_of_16_bits(header, content_type, colour, box=_BOX)
        check_memory(needed, limits)
        check_effort(cpu_seconds(content, content_type, header), len(content), limits)
        removed_metadata = metadata_kinds(content, header)
    with watch.step("decode"), room_for(needed):
        decoded = decode(content, content_type, header, colour, box=_BOX)
    with watch.step("colour"):
        picture = convert_colour(decoded.picture, decoded.colour)
    variants, upright = [], picture
    for recipe in _LARGEST_FIRST:
        with watch.step(f"fit {recipe.variant}"):
            fitted = fit(picture, max_width=recipe.max_width, max_height=recipe.max_height)
        with watch.step("orient"):
            upright = orient(fitted, header)
        with watch.step(f"encode {recipe.variant}"):
            encoded = encode(upright, recipe)
        variants.append(_variant(recipe, encoded, removed_metadata, watch))
        picture = _source_of_the_next(picture, fitted)
    with watch.step("placeholder"):
        placeholder = placeholder_of(upright)
    width, height = upright_size(header)
    return Rendering(
        content_type=content_type,
        width=width,
        height=height,
        variants=tuple(variants),
        blurhash=placeholder.blurhash,
        dominant_colour=placeholder.dominant_colour,
        step_milliseconds=watch.milliseconds,
    )


def _source_of_the_next(picture: Picture, fitted: Picture) -> Picture:
    """Shrink from a small picture, but not from a large one that was itself resized slightly."""
    return fitted if max(fitted.shape) <= MEDIUM.max_width else picture


def _variant(
    recipe: Recipe, encoded: Encoded, removed: tuple[MetadataKind, ...], watch: Stopwatch
) -> RenderedVariant:
    spent = (watch.milliseconds[f"{step} {recipe.variant}"] for step in ("fit", "encode"))
    return RenderedVariant(
        name=recipe.variant,
        content_type=VARIANT_CONTENT_TYPE,
        width=encoded.width,
        height=encoded.height,
        file_size=len(encoded.content),
        sha256=hashlib.sha256(encoded.content).hexdigest(),
        quality=encoded.quality,
        milliseconds=round(sum(spent), 1),
        recipe_version=RECIPE_VERSION,
        encoder=encoder_fingerprint(),
        shrunk=encoded.shrunk,
        removed_metadata=removed,
        content=encoded.content,
    )
