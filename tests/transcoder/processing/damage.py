"""Damage: what happens to files on their way, done here to the pixel data of JPEGs."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Final, TypeAlias

from transcoder.processing.jpeg.structure import structure_of

Damage: TypeAlias = Callable[[bytes, Random], bytes]

_SECTOR: Final = 4096
_OTHER_HEADER: Final = b"\xff\xd8\xff\xe1\0\x10Exif\0\0"
_RESTARTS: Final = range(0xD0, 0xD8)


def pixel_data(content: bytes) -> range:
    """Where the scans of a JPEG are, or where the pixel data of any other file may be."""
    structure = structure_of(content) if content[:2] == b"\xff\xd8" else None
    start = structure.data_start if structure else len(content) // 8
    return range(start, len(content) - 2)


def restart_markers(content: bytes) -> list[int]:
    """Where the restart markers of a JPEG are."""
    return [
        at
        for at in _occurrences(content, b"\xff", pixel_data(content))
        if content[at + 1] in _RESTARTS
    ]


def _occurrences(content: bytes, sought: bytes, within: range) -> Iterator[int]:
    at = content.find(sought, within.start, within.stop)
    while at >= 0:
        yield at
        at = content.find(sought, at + 1, within.stop)


def _hole(fill: Callable[[int, Random], bytes], size: float) -> Damage:
    def damage(content: bytes, random: Random) -> bytes:
        where = pixel_data(content)
        length = size if isinstance(size, int) else int(size * len(where))
        length = min(length, len(where) // 2)
        start = random.randrange(where.start, where.stop - length)
        return content[:start] + fill(length, random) + content[start + length :]

    return damage


def _tail(fill: Callable[[int, Random], bytes]) -> Damage:
    def damage(content: bytes, random: Random) -> bytes:
        where = pixel_data(content)
        start = random.randrange(where.start + len(where) // 20, where.stop - len(where) // 20)
        return content[:start] + fill(len(content) - start, random)

    return damage


def _flips(count: int) -> Damage:
    def damage(content: bytes, random: Random) -> bytes:
        changed = bytearray(content)
        for _ in range(count):
            at = random.choice(pixel_data(content))
            changed[at] ^= 1 << random.randrange(8)
        return bytes(changed)

    return damage


def _zeros(length: int, random: Random) -> bytes:
    del random
    return bytes(length)


def _ones(length: int, random: Random) -> bytes:
    del random
    return b"\xff" * length


def _noise(length: int, random: Random) -> bytes:
    return random.randbytes(length)


def _other_photo(length: int, random: Random) -> bytes:
    """The start of another JPEG, as if its sectors had been given to both."""
    return (_OTHER_HEADER + random.randbytes(length).replace(b"\xff", b"\xff\0"))[:length]


def _cut(content: bytes, random: Random) -> bytes:
    where = pixel_data(content)
    return content[: random.randrange(where.start, where.stop - len(where) // 50)]


def _swapped(content: bytes, random: Random) -> bytes:
    one, other = sorted(random.sample(_sectors(content), 2), key=lambda sector: sector.start)
    size = min(len(one), other.start - one.start)
    first, second = content[one.start : one.start + size], content[other.start : other.start + size]
    return (
        content[: one.start]
        + second
        + content[one.start + size : other.start]
        + first
        + content[other.start + size :]
    )


def _repeated(content: bytes, random: Random) -> bytes:
    one, other = random.sample(_sectors(content), 2)
    return content[: other.start] + content[one.start : one.stop] + content[other.stop :]


def _lost(content: bytes, random: Random) -> bytes:
    gone = random.choice(_sectors(content))
    return content[: gone.start] + content[gone.stop :]


def _sectors(content: bytes) -> list[range]:
    where = pixel_data(content)
    size = min(_SECTOR, len(where) // 8)
    return [range(at, at + size) for at in range(where.start, where.stop - size, size)]


def _restarts_renumbered(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    markers = restart_markers(content)
    for at in random.sample(markers, min(3, len(markers))):
        changed[at + 1] = 0xD0 + (changed[at + 1] + random.randrange(1, 8)) % 8
    return bytes(changed)


def _restarts_lost(content: bytes, random: Random) -> bytes:
    markers = sorted(random.sample(restart_markers(content), 1) if restart_markers(content) else [])
    for at in reversed(markers):
        content = content[:at] + content[at + 2 :]
    return content


DAMAGE: Final[dict[str, Damage]] = {
    "1 flipped bit": _flips(1),
    "3 flipped bits": _flips(3),
    "10 flipped bits": _flips(10),
    "50 flipped bits": _flips(50),
    "64 bytes of FF": _hole(_ones, 64),
    "a sector of FF": _hole(_ones, _SECTOR),
    "a tenth of FF": _hole(_ones, 0.1),
    "64 bytes of zeros": _hole(_zeros, 64),
    "a sector of zeros": _hole(_zeros, _SECTOR),
    "a tenth of zeros": _hole(_zeros, 0.1),
    "64 random bytes": _hole(_noise, 64),
    "a random sector": _hole(_noise, _SECTOR),
    "a random tenth": _hole(_noise, 0.1),
    "zeros to the end": _tail(_zeros),
    "FF to the end": _tail(_ones),
    "random bytes to the end": _tail(_noise),
    "another JPEG to the end": _tail(_other_photo),
    "cut": _cut,
    "two sectors swapped": _swapped,
    "a sector repeated": _repeated,
    "a sector lost": _lost,
    "restart markers renumbered": _restarts_renumbered,
    "a restart marker lost": _restarts_lost,
}
