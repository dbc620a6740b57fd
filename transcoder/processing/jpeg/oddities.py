"""Oddities of JPEGs: tell what cameras and apps do to good files from damage, by libjpeg's warning.

libjpeg goes on after a warning and paints what is missing grey. It tells only its first one, so an
oddity is mended and the file decoded again, until there is none or damage is found.
"""

import re
from typing import Final

import simplejpeg

from transcoder.errors import CorruptImage
from transcoder.processing.jpeg.structure import (
    Structure,
    intervals,
    scan_data,
    structure_of,
)

# Odd things that were seen in one file: no end marker, and wrong scan parameters.
MOST_ODDITIES: Final = 3

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
# Of a side, by the format.
_MOST_PIXELS: Final = 65_500
_MOST_INTERVALS: Final = 20_000
# Of libjpeg's warnings, those about headers.
_HARMLESS: Final = ("adobe color transform", "jfif revision", "bad icc marker")
# As libjpeg says it, and libvips.
_NO_END: Final = ("premature end of jpeg file", "premature end of input file")
_WRONG_PARAMETERS: Final = "invalid sos parameters"
_EXTRANEOUS: Final = re.compile(r"(\d+) extraneous bytes before marker 0x(\w\w)")
# What encoders add to fill their buffers. Damage leaves as much, and more often more.
_MOST_EXTRANEOUS: Final = 16
_RESTARTS: Final = range(0xD0, 0xD8)
_ALL_COEFFICIENTS: Final = bytes((0, 63, 0))


def without_oddity(content: bytes, warning: str) -> bytes | None:
    """The same file without what libjpeg warns of, or None if that does no harm.

    Raises:
        CorruptImage: the warning means damage.
    """
    said = warning.lower()
    if any(words in said for words in _NO_END):
        return _ended(content, content, warning)
    if any(words in said for words in _HARMLESS):
        return None
    structure = structure_of(content)
    if structure is None:
        raise CorruptImage(reason=warning)
    if extraneous := _EXTRANEOUS.search(said):
        count, marker = int(extraneous[1]), int(extraneous[2], 16)
        if marker in _RESTARTS and structure.is_baseline:
            _check_intervals(content, structure, warning)
        elif marker in {*_RESTARTS, _EOI[1]}:
            _check_extraneous(content[structure.data_start :], count, warning)
        elif count != structure.junk:
            raise CorruptImage(reason=warning)
        return None
    if _WRONG_PARAMETERS in said and not structure.is_baseline:
        return None
    if not structure.is_baseline:
        raise CorruptImage(reason=warning)
    if _WRONG_PARAMETERS in said:
        start = structure.data_start
        return content[: start - len(_ALL_COEFFICIENTS)] + _ALL_COEFFICIENTS + content[start:]
    return _ended(content[: scan_data(content, structure).stop], content, warning)


def _ended(pixels: bytes, content: bytes, warning: str) -> bytes:
    """The pixels with an end marker: if there are enough, nothing else was missing."""
    ended = pixels.removesuffix(_EOI) + _EOI
    if ended == content:
        raise CorruptImage(reason=warning)
    return ended


def _check_extraneous(data: bytes, count: int, warning: str) -> None:
    """Check that bytes after the last pixel are few, or all the same and none of the pixels."""
    if count <= _MOST_EXTRANEOUS:
        return
    before, *_ = data.partition(_EOI)
    same = len(before) - len(before.rstrip(before[-1:]))
    if not count <= same <= count + _MOST_EXTRANEOUS:
        raise CorruptImage(reason=warning)


def _check_intervals(content: bytes, structure: Structure, warning: str) -> None:
    """Decode every interval alone, because a restart hides what was wrong before it.

    libjpeg has checked that there are as many as there should be.
    """
    width, height = structure.unit
    across = -(-structure.width // width)
    left = across * -(-structure.height // height)
    if not structure.restart_interval:
        raise CorruptImage(reason=warning)
    count = -(-left // structure.restart_interval)
    # No camera restarts so often, and checking more would take seconds.
    if count > _MOST_INTERVALS:
        return
    for interval in intervals(content, structure, count):
        units = min(structure.restart_interval, left)
        left -= units
        columns, rows = (across, units // across) if units % across == 0 else (units, 1)
        if 0 < columns * width <= _MOST_PIXELS:
            _check_interval(interval, structure, columns * width, rows * height)


def _check_interval(interval: bytes, structure: Structure, width: int, height: int) -> None:
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    frame = structure.frame[:5] + size + structure.frame[9:]
    alone = _SOI + structure.tables + frame + structure.scan + interval + _EOI
    try:
        simplejpeg.decode_jpeg(alone, colorspace="GRAY")
    except ValueError as error:
        extraneous = _EXTRANEOUS.search(str(error).lower())
        if not extraneous:
            raise CorruptImage(reason=str(error)) from error
        _check_extraneous(interval, int(extraneous[1]), str(error))
