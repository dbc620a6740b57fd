"""Formats and recipes: the tables that clients and the image transcoder share."""

import pytest

from domain.formats import ACCEPTED_CONTENT_TYPES, SNIFF_BYTES, sniff
from domain.recipes import RECIPES

HEADS = {
    b"\xff\xd8\xff\xe0" + bytes(12): "image/jpeg",
    b"\x89PNG\r\n\x1a\n" + bytes(8): "image/png",
    b"RIFF\x00\x00\x00\x00WEBPVP8 ": "image/webp",
}


@pytest.mark.parametrize(("head", "content_type"), HEADS.items())
def test_the_first_bytes_prove_the_type(head: bytes, content_type: str) -> None:
    assert len(head) == SNIFF_BYTES
    assert sniff(head) == content_type


def test_every_accepted_type_can_be_proved() -> None:
    assert set(HEADS.values()) == set(ACCEPTED_CONTENT_TYPES)


@pytest.mark.parametrize("head", [b"", b"GIF89a", b"RIFF....WAVE", b"<svg", b"%PDF", b"\xff\xd8"])
def test_nothing_else_is_an_accepted_type(head: bytes) -> None:
    assert sniff(head) is None


def test_the_variants_are_bound_as_promised() -> None:
    bounds = [
        (recipe.variant, recipe.max_width, recipe.max_height, recipe.quality, recipe.max_bytes)
        for recipe in RECIPES
    ]
    assert bounds == [
        ("thumbnail", 150, 150, 80, 30_000),
        ("medium", 600, 600, 85, 100_000),
        ("original", 4000, 4000, 90, 2_000_000),
    ]
