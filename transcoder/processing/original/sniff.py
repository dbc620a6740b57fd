"""Sniff: check the announced type by the first bytes, before any library reads them."""

from domain.formats import HEIF_CONTENT_TYPES, SNIFF_BYTES, ContentType, is_announced_as, sniff
from transcoder.errors import ContentTypeMismatch, FormatSwitchedOff, NotAnImage
from transcoder.rendering import Limits


def check_type(content: bytes, announced: ContentType, limits: Limits) -> ContentType:
    """Return the actual type, if it is the announced one.

    Raises:
        NotAnImage: the bytes are in no accepted format.
        ContentTypeMismatch: they are in another format.
        FormatSwitchedOff: they are in a format that is switched off.
    """
    actual = sniff(content[:SNIFF_BYTES])
    if actual is None:
        raise NotAnImage
    # First: announcing the right type would not help.
    if actual in HEIF_CONTENT_TYPES and not limits.heif:
        raise FormatSwitchedOff(content_type=actual)
    if not is_announced_as(actual, announced):
        raise ContentTypeMismatch(announced=announced, actual=actual)
    return actual
