"""Ranges: the one part of an object that a client asks for (RFC 9110, section 14)."""

import re
from typing import Final

from api.http.errors import RangeBeyondEnd

# One range, with numbers that fit any object; anything else is ignored, as the RFC allows.
_ONE_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


def wanted_range(header: str, *, size: int) -> range | None:
    """The positions that a `Range` header asks for of `size` bytes; None for all of them.

    Raises:
        RangeBeyondEnd: it begins after the end.
    """
    match = _ONE_RANGE.fullmatch(header)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        wanted = range(max(0, size - int(last)), size)
    else:
        wanted = range(int(first), min(int(last or size) + 1, size))
    if last and first and int(last) < int(first):
        return None
    if not wanted:
        raise RangeBeyondEnd(size=size)
    return wanted
