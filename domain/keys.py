"""Object keys: where the original and the variants of a post live in the bucket."""

import re
from typing import Final
from uuid import UUID

from domain.recipes import VariantName

ORIGINALS_PREFIX: Final = "uploads/"
VARIANTS_PREFIX: Final = "variants/"

_VARIANT_KEY: Final = re.compile(
    rf"{VARIANTS_PREFIX}[0-9a-f-]{{36}}/[a-z][a-z0-9_]*-[0-9a-f]{{64}}\.jpg"
)
_KEY: Final = re.compile(
    rf"({ORIGINALS_PREFIX}(?=[^/]+/original$)|{VARIANTS_PREFIX})"
    r"(?P<post_id>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})/[^/]+"
)


def original_key(post_id: UUID) -> str:
    """Where the client puts its photo; written once, never replaced."""
    return f"{ORIGINALS_PREFIX}{post_id}/original"


def variant_key(post_id: UUID, variant: VariantName, *, sha256: str) -> str:
    """Where a variant lives: named after its bytes, so that it can be cached for ever."""
    return f"{VARIANTS_PREFIX}{post_id}/{variant}-{sha256}.jpg"


def variants_prefix(post_id: UUID) -> str:
    """What the keys of all variants of a post begin with."""
    return f"{VARIANTS_PREFIX}{post_id}/"


def post_of_key(key: str) -> UUID | None:
    """The post that an object belongs to; None if the key is none of ours."""
    found = _KEY.fullmatch(key)
    return UUID(found["post_id"]) if found else None


def is_variant_key(key: str) -> bool:
    """Whether a variant may be stored under this key; originals never are."""
    return _VARIANT_KEY.fullmatch(key) is not None
