"""Sniff: the first bytes must prove the type that was announced, before any library sees them."""

from domain.formats import HEIF_CONTENT_TYPES, SNIFF_BYTES, ContentType, is_announced_as, sniff
from transcoder.errors import ContentTypeMismatch, FormatSwitchedOff, NotAnImage
from transcoder.rendering import Limits


def check_type(content: bytes, announced: ContentType, limits: Limits) -> ContentType:
    """What the bytes are, if they are what they were said to be.

    Raises:
        NotAnImage: they are in no format that we accept.
        ContentTypeMismatch: they are in another one.
        FormatSwitchedOff: they are in one that we do not accept any more.
    """
    actual = sniff(content[:SNIFF_BYTES])
    if actual is None:
        raise NotAnImage
    if not is_announced_as(actual, announced):
        raise ContentTypeMismatch(announced=announced, actual=actual)
    if actual in HEIF_CONTENT_TYPES and not limits.heif:
        raise FormatSwitchedOff(content_type=actual)
    return actual
