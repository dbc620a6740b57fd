"""Renditions: what the pipeline makes of a file, in this process, and its pixels."""

import numpy as np

from domain.formats import SNIFF_BYTES, sniff
from domain.recipes import VariantName
from tests.transcoder import pictures
from tests.transcoder.processing import references
from transcoder.processing.pipeline import render
from transcoder.rendering import Limits, RenderedVariant, Rendering


def rendered(content: bytes) -> Rendering:
    content_type = sniff(content[:SNIFF_BYTES])
    assert content_type
    return render(content, content_type, Limits())


def pixels(variant: RenderedVariant) -> references.Pixels:
    return np.asarray(pictures.opened(variant.content).convert("RGB"))


def variant_of(rendering: Rendering, name: VariantName) -> RenderedVariant:
    return next(variant for variant in rendering.variants if variant.name == name)
