"""Formats and recipes: the tables that clients and the image transcoder share."""

from itertools import product

import pytest

from domain.formats import SNIFF_BYTES, accepted_content_types, is_announced_as, sniff
from domain.recipes import RECIPES


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    """How every file in a HEIF container begins."""
    brands = major + bytes(4) + b"".join(compatible)
    return (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + b"\0\0\0\x10meta" + bytes(40)


HEADS = {
    b"\xff\xd8\xff\xe0" + bytes(12): "image/jpeg",
    b"\x89PNG\r\n\x1a\n" + bytes(8): "image/png",
    b"RIFF\x00\x00\x00\x00WEBPVP8 ": "image/webp",
    ftyp(b"heic", b"mif1", b"MiHE"): "image/heic",
    ftyp(b"hevx", b"msf1", b"heic"): "image/heic",
    ftyp(b"mif1", b"mif1", b"heic"): "image/heic",
    ftyp(b"mif1", b"mif1"): "image/heif",
    ftyp(b"avif", b"avif", b"mif1", b"miaf"): "image/avif",
    ftyp(b"mif1", b"miaf", b"avif"): "image/avif",
}


@pytest.mark.parametrize(("head", "content_type"), HEADS.items())
def test_the_first_bytes_prove_the_type(head: bytes, content_type: str) -> None:
    assert sniff(head[:SNIFF_BYTES]) == content_type


def test_every_accepted_type_can_be_proved() -> None:
    assert set(HEADS.values()) == set(accepted_content_types(heif=True))


def test_heif_can_be_switched_off() -> None:
    assert accepted_content_types(heif=False) == ("image/jpeg", "image/png", "image/webp")


def test_a_heic_may_be_announced_as_a_heif_and_nothing_else_as_something_else() -> None:
    types = accepted_content_types(heif=True)
    others = [(a, b) for a, b in product(types, types) if a != b and is_announced_as(a, b)]
    assert others == [("image/heic", "image/heif")]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GIF89a",
        b"RIFF....WAVE",
        b"<svg",
        b"%PDF",
        b"\xff\xd8",
        # As a transfer in text mode would leave it.
        b"\x89PNG\n\x1a\n" + bytes(8),
        ftyp(b"mp42", b"heic"),
    ],
)
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
