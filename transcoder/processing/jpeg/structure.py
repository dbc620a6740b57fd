"""The structure of a JPEG: what its headers say, and where its first scan is."""

import re
from itertools import islice
from typing import Final, NamedTuple

_SOI: Final = 2
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BASELINE: Final = frozenset({0xC0, 0xC1})
_TABLES: Final = frozenset({0xC4, 0xDB})
_SCAN, _RESTART_INTERVAL, _FILL = 0xDA, 0xDD, 0xFF
_BLOCK: Final = 8
# Everything but a stuffed FF, a restart marker and fill bytes ends the data of a scan.
_END_OF_DATA: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_RESTART: Final = re.compile(rb"\xff+[\xd0-\xd7]")


class Structure(NamedTuple):
    """Headers as they are in the file, and where the first scan starts.

    A unit is what a scan codes at once, and junk are bytes between headers, which decoders skip.
    """

    frame: bytes
    tables: bytes
    scan: bytes
    restart_interval: int
    junk: int
    data_start: int

    @property
    def is_baseline(self) -> bool:
        """Whether one scan has all there is."""
        return self.frame[1] in _BASELINE and self.scan[4] == self.frame[9]

    @property
    def height(self) -> int:
        """In pixels."""
        return int.from_bytes(self.frame[5:7], "big")

    @property
    def width(self) -> int:
        """In pixels."""
        return int.from_bytes(self.frame[7:9], "big")

    @property
    def unit(self) -> tuple[int, int]:
        """Width and height in pixels: one block in a scan of one component."""
        factors = self.frame[11::3] if self.scan[4] > 1 else b"\x11"
        return (
            _BLOCK * max(factor >> 4 for factor in factors),
            _BLOCK * max(factor & 15 for factor in factors),
        )


def structure_of(content: bytes) -> Structure | None:
    """The structure of a file; None if its headers make no sense."""
    at, junk, frame, tables, interval = _SOI, 0, b"", b"", 0
    while (marker_at := content.find(b"\xff", at)) >= 0 and marker_at + 4 <= len(content):
        junk += marker_at - at
        at, marker = marker_at, content[marker_at + 1]
        if marker == _FILL:
            at += 1
            continue
        following = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        segment = content[at:following]
        if marker in _FRAMES:
            frame = segment
        elif marker in _TABLES:
            tables += segment
        elif marker == _RESTART_INTERVAL:
            interval = int.from_bytes(segment[4:6], "big")
        elif marker == _SCAN:
            return Structure(frame, tables, segment, interval, junk, following) if frame else None
        at = following
    return None


def scan_data(content: bytes, structure: Structure) -> range:
    """Where the data of the first scan is: up to the next marker, but for restarts."""
    end = _END_OF_DATA.search(content, structure.data_start)
    return range(structure.data_start, end.start() if end else len(content))


def intervals(content: bytes, structure: Structure, count: int) -> list[bytes]:
    """The data of the first scan between restart markers, of which the file may have more."""
    data = scan_data(content, structure)
    found = [*islice(_RESTART.finditer(content, data.start, data.stop), count - 1)]
    starts = [data.start, *(each.end() for each in found)]
    stops = [*(each.start() for each in found), data.stop]
    return [content[start:stop] for start, stop in zip(starts, stops, strict=True)]
