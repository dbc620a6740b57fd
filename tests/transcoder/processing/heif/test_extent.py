"""Extents: a HEIC or AVIF is costed by what has to be decoded, not by what is shown of it."""

import struct
from typing import Final

import pytest
from PIL import Image

from tests.transcoder import pictures
from tests.transcoder.avif_grid import avif_chain, avif_grid
from tests.transcoder.processing.renditions import rendered
from transcoder.errors import TooComplex, TooMuchMemory
from transcoder.processing.heif.extent import Extent, extent_of
from transcoder.processing.limits.effort import cpu_seconds
from transcoder.processing.limits.memory import memory_needed
from transcoder.processing.load import load

_SHOWN: Final = (200, 100)


def cropped(picture: Image.Image) -> bytes:
    """A HEIC of which only the middle is shown; the box that says so takes a profile's place."""
    picture.info["icc_profile"] = bytes(28)
    content = pictures.heic(picture)
    crop = struct.pack(">4s8I", b"clap", _SHOWN[0], 1, _SHOWN[1], 1, 0, 1, 0, 1)
    at = content.index(b"colrprof")
    return content[:at] + crop + content[at + len(crop) :]


def with_large_alpha(picture: Image.Image, width: int, height: int) -> bytes:
    """A HEIC whose alpha has another size than its colours."""
    picture.info["icc_profile"] = bytes(8)
    content = pictures.heic(picture)
    size = struct.pack(">4s3I", b"ispe", 0, width, height)
    at = content.index(b"colrprof")
    content = content[:at] + size + content[at + len(size) :]
    # Properties by number: the colours had 2 and 3, of which 3 is their size, and alpha has 3, too.
    mine, alpha = bytes.fromhex("000104810203"), bytes.fromhex("0002048503")
    assert content.count(mine) == content.count(alpha) == 1
    return content.replace(mine, mine[:-2] + b"\3\3").replace(alpha, alpha[:-1] + b"\2")


def part_of_itself() -> bytes:
    """A grid whose first tile is the grid."""
    content = avif_grid(pictures.corners(768, 512), columns=3, rows=2)
    at = content.index(b"dimg") + 8
    return content[:at] + b"\0\1" + content[at + 2 :]


def needed_bytes(content: bytes) -> int:
    return memory_needed(content, "image/heic", load(content, "image/heic"), 4000)


def test_a_cropped_photo_needs_what_the_whole_one_needs() -> None:
    whole, part = pictures.heic(pictures.corners(2400, 1600)), cropped(pictures.corners(2400, 1600))
    assert needed_bytes(part) - len(part) == needed_bytes(whole) - len(whole)
    header = load(part, "image/heic")
    assert (header.width, header.height) == _SHOWN
    assert cpu_seconds(part, "image/heic", header) == cpu_seconds(
        whole, "image/heic", load(whole, "image/heic")
    )


def test_a_photo_is_cropped() -> None:
    made = rendered(cropped(pictures.corners(400, 300)))
    assert (made.width, made.height) == _SHOWN


def test_a_small_part_of_a_huge_picture_is_refused_by_its_header() -> None:
    content = cropped(pictures.corners(640, 480))
    at = content.index(b"ispe") + 8
    huge = content[:at] + struct.pack(">II", 12_000, 12_000) + content[at + 8 :]
    with pytest.raises(TooMuchMemory):
        rendered(huge)


def test_alpha_with_more_pixels_than_the_colours_counts() -> None:
    picture = pictures.half_transparent(640, 384)
    assert extent_of(with_large_alpha(picture.copy(), 640, 384)) == Extent(245_760, 245_760)
    large = with_large_alpha(picture, 12_000, 12_000)
    assert extent_of(large) == Extent(144_000_000, 144_000_000)
    with pytest.raises(TooMuchMemory):
        rendered(large)


def test_tiles_are_decoded_four_at_a_time() -> None:
    content = avif_grid(pictures.corners(768, 512), columns=3, rows=2)
    at = content.index(b"ispe") + 8
    small = content[:at] + struct.pack(">II", 300, 200) + content[at + 8 :]
    assert extent_of(small) == Extent(4 * 256 * 256, 6 * 256 * 256)


def test_a_layer_is_decoded_beside_its_canvas() -> None:
    content = avif_grid(pictures.corners(256, 256), columns=1, rows=1)
    derived = content.replace(b"grid", b"iden", 1)
    assert extent_of(derived) == Extent(2 * 256 * 256, 256 * 256)


def test_a_picture_that_is_part_of_itself_has_no_end() -> None:
    assert extent_of(part_of_itself()).at_once > 1_000_000_000_000


def test_a_few_levels_are_counted_and_many_are_endless() -> None:
    picture = pictures.corners(64, 64)
    assert extent_of(avif_chain(picture, levels=3)).in_all == 64 * 64
    assert extent_of(avif_chain(picture, levels=20)).in_all >= 1 << 40


def test_a_lie_about_the_size_is_refused() -> None:
    content = pictures.heic(pictures.corners(2400, 1600))
    at = content.index(b"ispe") + 8
    with pytest.raises(TooComplex):
        rendered(content[:at] + struct.pack(">II", 240, 160) + content[at + 8 :])
