"""Object keys: where the original and the variants of a post live in the bucket."""

import re
from typing import Final
from uuid import UUID

from domain.recipes import VariantName

ORIGINALS_PREFIX: Final = "uploads/"
VARIANTS_PREFIX: Final = "variants/"

_VARIANT_KEY: Final = re.compile(
    rf"{VARIANTS_PREFIX}[0-9a-f-]{{36}}/(thumbnail|medium|original)-[0-9a-f]{{64}}\.jpg"
)


def original_key(post_id: UUID) -> str:
    """Where the client puts its photo; written once, never replaced."""
    return f"{ORIGINALS_PREFIX}{post_id}/original"


def variant_key(post_id: UUID, variant: VariantName, *, sha256: str) -> str:
    """Where a variant lives: named after its bytes, so that it can be cached for ever."""
    return f"{VARIANTS_PREFIX}{post_id}/{variant}-{sha256}.jpg"


def is_variant_key(key: str) -> bool:
    """Whether a variant may be stored under this key; originals never are."""
    return _VARIANT_KEY.fullmatch(key) is not None
