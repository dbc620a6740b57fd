"""Odd files: what no photo needs but some have; each is published, or refused for good."""

import struct
import zlib
from collections.abc import Callable
from typing import Final

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from tests.transcoder import pictures
from tests.transcoder.processing import hostile
from tests.transcoder.processing.renditions import pixels, rendered, variant_of
from transcoder.errors import SideTooLong, TooComplex

# Latin-1, bytes that no text has, a surrogate in UTF-8, nothing, and more than a keyword may have.
UNDECODABLE: Final = (b"\xdcberschrift", b"\xff\xfe", b"\x80", b"\xed\xa0\x80", b"", b"\xe9" * 100)
TEXTS: Final[dict[bytes, Callable[[bytes], bytes]]] = {
    b"tEXt": lambda text: text + b"\0" + text,
    b"zTXt": lambda text: text + b"\0\0" + zlib.compress(text),
    b"iTXt": lambda text: text + b"\0\0\0" + text + b"\0" + text + b"\0" + text,
}
CHUNKS: Final = (
    b"eXIf",
    b"iCCP",
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"cICP",
    b"pHYs",
    b"tIME",
    b"bKGD",
    b"zzZz",
)
JUNK: Final = (
    b"",
    b"\0",
    b"\xff" * 4,
    b"MM\0*\0\0\0\x08\0\0",
    b"II*\0\x08\0\0\0\xff\xff\xe9",
    b"\xe9" * 99,
)
JPEG_SEGMENTS: Final = {
    "EXIF": (0xE1, b"Exif\0\0"),
    "XMP": (0xE1, b"http://ns.adobe.com/xap/1.0/\0"),
    "profile": (0xE2, b"ICC_PROFILE\0\1\1"),
    "IPTC": (0xED, b"Photoshop 3.0\0"),
    "comment": (0xFE, b""),
    "Adobe": (0xEE, b"Adobe"),
}
# Of 32 × 18 tiles: more parts than libvips accepts unless it is told to.
TILED: Final = (2048, 1152)


@pytest.mark.parametrize("text", UNDECODABLE)
@pytest.mark.parametrize("kind", TEXTS)
def test_the_texts_of_a_png_may_be_in_any_encoding(kind: bytes, text: bytes) -> None:
    rendered(hostile.png_with(kind, TEXTS[kind](text)))


def test_a_text_in_latin_1_counts_as_a_comment() -> None:
    made = rendered(hostile.png_with(b"tEXt", "Überschrift\0Träume".encode("latin-1")))
    assert {variant.removed_metadata for variant in made.variants} == {("comment",)}


@pytest.mark.parametrize("body", JUNK)
@pytest.mark.parametrize("kind", CHUNKS)
def test_junk_beside_the_pixels_of_a_png_is_ignored(kind: bytes, body: bytes) -> None:
    rendered(hostile.png_with(kind, body))


@pytest.mark.parametrize("body", JUNK)
@pytest.mark.parametrize("segment", JPEG_SEGMENTS)
def test_junk_beside_the_pixels_of_a_jpeg_is_ignored(segment: str, body: bytes) -> None:
    marker, prefix = JPEG_SEGMENTS[segment]
    rendered(hostile.jpeg_with(marker, prefix + body))


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_a_narrow_grey_heic_is_not_taken_for_one_with_alpha(width: int) -> None:
    grey = Image.new("L", (width, 40), 128)
    for content in (pictures.heic(grey), pictures.deep_grey_heic(grey)):
        made = variant_of(rendered(content), "original")
        assert (made.width, made.height) == (width, 40)
        assert np.abs(pixels(made).astype(int) - 128).max() <= 3


def test_a_heic_may_have_hundreds_of_tiles() -> None:
    file = pillow_heif.from_pillow(pictures.corners(*TILED))
    content = pictures.saved_heic(file, quality=50, tile_size=64)
    made = rendered(content)
    assert (made.width, made.height) == TILED


@pytest.mark.parametrize("make", [pictures.heic, pictures.avif])
def test_a_header_beyond_the_limits_of_its_decoder_is_refused_for_good(
    make: Callable[[], bytes],
) -> None:
    content = make()
    # The box of a file's parts: its version and flags, then their number.
    at = content.index(b"iinf") + len(b"iinf") + 4
    with pytest.raises(TooComplex):
        rendered(content[:at] + struct.pack(">H", 65_535) + content[at + 2 :])


@pytest.mark.parametrize(("width", "height"), [(65_535, 100), (100, 65_501)])
@pytest.mark.parametrize("scans", [b"\xff\xc0", b"\xff\xc2"])
def test_a_jpeg_with_a_longer_side_than_its_decoder_takes_is_too_long(
    scans: bytes, width: int, height: int
) -> None:
    content = pictures.jpeg(progressive=scans == b"\xff\xc2")
    at = content.index(scans) + 5
    with pytest.raises(SideTooLong) as caught:
        rendered(content[:at] + struct.pack(">HH", height, width) + content[at + 4 :])
    assert vars(caught.value) == {"side": max(width, height), "limit": 65_500}
