"""Sniff: the first bytes must prove the type that was announced, before any library sees them."""

from domain.formats import SNIFF_BYTES, ContentType, sniff
from transcoder.errors import ContentTypeMismatch, NotAnImage


def check_type(content: bytes, announced: ContentType) -> None:
    """Go on, if the bytes are what they were said to be.

    Raises:
        NotAnImage: they are in no format that we accept.
        ContentTypeMismatch: they are in another one.
    """
    actual = sniff(content[:SNIFF_BYTES])
    if actual is None:
        raise NotAnImage
    if actual != announced:
        raise ContentTypeMismatch(announced=announced, actual=actual)
