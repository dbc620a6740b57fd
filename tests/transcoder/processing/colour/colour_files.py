"""Colour files: pictures whose containers say what their numbers mean, made here."""

import struct
import zlib
from typing import Any, Final

import numpy as np
import pillow_heif
import pyvips
from numpy.typing import NDArray
from PIL import Image

from tests.transcoder import pictures

PNG_HEADER_BYTES: Final = 8 + 25
FULL, LIMITED = 0x80, 0


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunks(png: bytes, chunks: dict[bytes, bytes]) -> bytes:
    """A PNG with more chunks before its palette and pixels."""
    added = b"".join(chunk(name, body) for name, body in chunks.items())
    return png[:PNG_HEADER_BYTES] + added + png[PNG_HEADER_BYTES:]


def cicp(primaries: int, transfer: int, matrix: int = 0, is_full: int = 1) -> bytes:
    """The body of a cICP chunk."""
    return bytes((primaries, transfer, matrix, is_full))


def gama(gamma: float) -> bytes:
    """The body of a gAMA chunk."""
    return struct.pack(">I", round(100_000 / gamma))


def chrm(*chromaticities: float) -> bytes:
    """The body of a cHRM chunk: x and y of white, red, green and blue."""
    return struct.pack(">8I", *(round(number * 100_000) for number in chromaticities))


def avif(picture: Image.Image, **options: object) -> bytes:
    """An AVIF that keeps colours."""
    return pictures.avif(picture, **{"quality": 100, "subsampling": "4:4:4", **options})


def heic(picture: Image.Image, **options: object) -> bytes:
    """A HEIC that keeps colours."""
    return pictures.heic(picture, **{"quality": 100, "chroma": 444, **options})


def with_nclx(
    heif: bytes, primaries: int, transfer: int, *, matrix: int = 6, range_flag: int = FULL
) -> bytes:
    """A HEIC or AVIF whose container says something else of its colours."""
    at = heif.index(b"nclx") + 4
    return heif[:at] + struct.pack(">3HB", primaries, transfer, matrix, range_flag) + heif[at + 7 :]


def deep_png(numbers: NDArray[np.float64], chunks: dict[bytes, bytes]) -> bytes:
    """A PNG of 16 bits by numbers from 0 to 1, grey or in colour."""
    samples = (numbers * 65535).round().astype(np.uint16)
    image = pyvips.Image.new_from_array(samples)
    image = image.copy(interpretation="grey16" if image.bands < 3 else "rgb16")
    return with_chunks(image.pngsave_buffer(bitdepth=16), chunks)


def deep_heic(numbers: NDArray[np.float64], primaries: int, transfer: int) -> bytes:
    """A HEIC of 10 bits by numbers from 0 to 1, with or without alpha."""
    samples = (numbers * 65535).round().astype("<u2")
    height, width, bands = samples.shape
    mode = "RGBA;16" if bands > 3 else "RGB;16"
    file = pillow_heif.from_bytes(mode, (width, height), samples.tobytes())
    content = pictures.saved_heic(file, quality=100, chroma=444)
    return with_nclx(content, primaries, transfer)


def exif_of_adobe_rgb(
    *, order: str = "<", colour_space: int = 65535, index: bytes = b"R03"
) -> bytes:
    """EXIF with a colour space and an index of interoperability, lowest byte first or last."""
    mark = b"II" if order == "<" else b"MM"
    pointer, short, ascii_text = 4, 3, 2
    head = mark + struct.pack(order + "HI", 42, 8)
    first = struct.pack(order + "HHHIII", 1, 0x8769, pointer, 1, 26, 0)
    value = struct.pack(order + "HH", colour_space, 0)
    second = struct.pack(order + "HHHI", 2, 0xA001, short, 1) + value
    second += struct.pack(order + "HHIII", 0xA005, pointer, 1, 56, 0)
    third = struct.pack(order + "HHHI", 1, 1, ascii_text, 4) + index.ljust(4, b"\0")
    return b"Exif\0\0" + head + first + second + third + bytes(4)


def deep_avif(
    numbers: NDArray[np.float64], primaries: int, transfer: int, *, bits: int = 10
) -> bytes:
    """An AVIF of 10 or 12 bits by numbers from 0 to 1."""
    image = pyvips.Image.new_from_array((numbers * 65535).round().astype(np.uint16))
    image = image.copy(interpretation="rgb16")
    profile: Any = pyvips.Operation.call("profile_load", "srgb")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    content: bytes = image.heifsave_buffer(
        compression="av1", bitdepth=bits, Q=98, subsample_mode="off", effort=0
    )
    # libvips writes no code points: put them into the place of the profile.
    return with_nclx(content.replace(b"colrrICC", b"colrnclx"), primaries, transfer)


def deep_png_with_profile(numbers: NDArray[np.float64], profile: bytes) -> bytes:
    """A PNG of 16 bits with an ICC profile, by numbers from 0 to 1."""
    body = b"profile\0\0" + zlib.compress(profile)
    return deep_png(numbers, {b"iCCP": body})


def with_cicp_tag(profile: bytes, *, primaries: int, transfer: int) -> bytes:
    """An ICC profile with another tag, which names a colour space by its code points."""
    (count,) = struct.unpack_from(">I", profile, 128)
    end = 132 + 12 * count
    moved = b"".join(
        struct.pack(">4s2I", name, at + 12, size)
        for name, at, size in struct.iter_unpack(">4s2I", profile[132:end])
    )
    tag = struct.pack(">4s2I", b"cicp", len(profile) + 12, 12)
    body = b"cicp" + bytes(4) + bytes((primaries, transfer, 0, 1))
    grown = profile[4:128] + struct.pack(">I", count + 1) + moved + tag + profile[end:] + body
    return struct.pack(">I", len(grown) + 4) + grown


def half_clear_avif(colour: tuple[int, int, int], *, is_multiplied: bool) -> bytes:
    """An AVIF of one colour with an alpha of 128."""
    picture = Image.new("RGBA", (96, 96), (*colour, 128))
    return pictures.avif(picture, quality=100, alpha_premultiplied=is_multiplied)


def half_clear_heic(colour: tuple[int, int, int], *, is_multiplied: bool) -> bytes:
    """The same as HEIC."""
    stored = [round(part * 128 / 255) for part in colour] if is_multiplied else list(colour)
    mode = "RGBa" if is_multiplied else "RGBA"
    file = pillow_heif.from_bytes(mode, (96, 96), bytes([*stored, 128]) * 96 * 96)
    return pictures.saved_heic(file, quality=100, chroma=444)
