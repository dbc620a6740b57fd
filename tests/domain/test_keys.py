"""Object keys: each tells the post that it belongs to, and others' keys tell none."""

from uuid import UUID

import pytest

from domain.keys import is_variant_key, original_key, post_of_key, variant_key, variants_prefix

POST_ID = UUID("0d90be1a-8ea7-4d1a-8d85-37d744427262")
MEDIUM = variant_key(POST_ID, "medium", sha256="a" * 64)


def test_every_key_of_ours_tells_its_post() -> None:
    for key in (original_key(POST_ID), MEDIUM):
        assert post_of_key(key) == POST_ID


def test_the_variants_of_a_post_share_a_prefix_that_no_original_has() -> None:
    assert MEDIUM.startswith(variants_prefix(POST_ID))
    assert is_variant_key(MEDIUM)
    assert not is_variant_key(original_key(POST_ID))
    assert not original_key(POST_ID).startswith(variants_prefix(POST_ID))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "uploads/",
        f"uploads/{POST_ID}/notes",
        f"other/{POST_ID}/original",
        "variants/x/y",
        f"{original_key(POST_ID)}/more",
        f"{MEDIUM}/more",
        f"backup/{MEDIUM}",
    ],
)
def test_a_key_that_is_none_of_ours_tells_no_post(key: str) -> None:
    assert post_of_key(key) is None


@pytest.mark.parametrize(
    "key", [f"{MEDIUM}/more", f"{MEDIUM}.bak", f"backup/{MEDIUM}", "../" + MEDIUM]
)
def test_only_whole_keys_of_variants_are_those_of_variants(key: str) -> None:
    assert not is_variant_key(key)
