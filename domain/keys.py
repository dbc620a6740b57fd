"""Object keys: where the original and the variants of a post live in the bucket."""

from uuid import UUID

from domain.recipes import VariantName

ORIGINALS_PREFIX = "uploads/"
VARIANTS_PREFIX = "variants/"


def original_key(post_id: UUID) -> str:
    """Where the client puts its photo; written once, never replaced."""
    return f"{ORIGINALS_PREFIX}{post_id}/original"


def variant_key(post_id: UUID, variant: VariantName, *, sha256: str) -> str:
    """Where a variant lives: named after its bytes, so that it can be cached for ever."""
    return f"{VARIANTS_PREFIX}{post_id}/{variant}-{sha256}.jpg"
