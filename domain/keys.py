"""Object keys: where the original and the variants of a post are stored in the bucket."""

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
    """The key of the client's upload: written once, never replaced."""
    return f"{ORIGINALS_PREFIX}{post_id}/original"


def variant_key(post_id: UUID, variant: VariantName, *, sha256: str) -> str:
    """The key of a variant: named after its bytes, so that it can be cached forever."""
    return f"{VARIANTS_PREFIX}{post_id}/{variant}-{sha256}.jpg"


def variants_prefix(post_id: UUID) -> str:
    """The prefix of the keys of a post's variants."""
    return f"{VARIANTS_PREFIX}{post_id}/"


def post_of_key(key: str) -> UUID | None:
    """The post an object belongs to; None if the key has another form."""
    found = _KEY.fullmatch(key)
    return UUID(found["post_id"]) if found else None


def is_variant_key(key: str) -> bool:
    """Whether this is the key of a variant; that of an original is not."""
    return _VARIANT_KEY.fullmatch(key) is not None
