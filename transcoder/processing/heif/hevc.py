"""HEVC: find bytes that no encoder writes, because libheif's decoder goes on after damage."""

from typing import Final

_LENGTH_BYTES: Final = 4
# Reserved for start codes: wherever two zeros and a third would follow, an encoder inserts a 3.
_IMPOSSIBLE: Final = bytes(3)


def has_impossible_zeros(coded: bytes) -> bool:
    """Whether units of a coded picture have three zeros in a row.

    Args:
        coded: units with their lengths before them, as HEIF has them. If the lengths do not add up,
            the decoder finds that out.
    """
    at = 0
    while at + _LENGTH_BYTES < len(coded):
        start = at + _LENGTH_BYTES
        length = int.from_bytes(coded[at:start], "big")
        if not 0 < length <= len(coded) - start:
            return False
        if coded.find(_IMPOSSIBLE, start, start + length) >= 0:
            return True
        at = start + length
    return False
