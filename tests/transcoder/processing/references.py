"""References: expected results, computed in another way than the pipeline does.

LittleCMS through Pillow converts colours, Pillow's Lanczos resizes, and scikit-image measures how
far off colours are.
"""

import io
import struct
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import pillow_heif
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps
from PIL.ExifTags import GPS, IFD, Base
from PIL.Image import Resampling
from PIL.PngImagePlugin import PngInfo
from skimage.color import deltaE_ciede2000, rgb2lab

from domain.variants import MetadataKind
from tests.transcoder import pictures

Values: TypeAlias = NDArray[np.float64]
Pixels: TypeAlias = NDArray[np.uint8]

_SRGB: Final = ImageCms.createProfile("sRGB")
_WHITE_OF_PROFILES: Final = (0.9642, 1.0, 0.8249)
# From the light of Display P3 to that of sRGB, as CSS Color 4 has it.
_SRGB_OF_P3: Final = np.array(
    [
        [1.2249402, -0.2249402, 0.0],
        [-0.0420570, 1.0420570, 0.0],
        [-0.0196376, -0.0786360, 1.0982736],
    ]
)
PATCH: Final = 48
_TABLE_STEPS: Final = 9

# CIE XYZ under D50 of red, green and blue.
_ADOBE_PRIMARIES: Final = (
    (0.60974, 0.31111, 0.01947),
    (0.20528, 0.62567, 0.06087),
    (0.14919, 0.06322, 0.74457),
)
_PROPHOTO_PRIMARIES: Final = (
    (0.79767, 0.28804, 0.0),
    (0.13519, 0.71188, 0.0),
    (0.03134, 0.00009, 0.82491),
)


def scene(width: int, height: int) -> Image.Image:
    """Like a photo: a sky, grain of every size, hard edges and thin lines; always the same."""
    random = np.random.default_rng(7)
    x, y = np.linspace(0, 1, width), np.linspace(0, 1, height)[:, None]
    sky = np.dstack([90 + 120 * y + 0 * x, 120 + 60 * x + 0 * y, 200 - 110 * y * x])
    sky = sky.astype(np.float32)
    for cell, strength in ((64, 30), (16, 18), (4, 10), (2, 6)):
        grain = random.normal(0, strength, (height // cell + 2, width // cell + 2))
        grown = cv2.resize(grain.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        sky += grown[..., None]
    pixels = sky.clip(0, 255).astype(np.uint8)
    for _ in range(12):
        corners = (random.random((3, 2)) * [width, height]).astype(np.int32)
        colour = random.integers(0, 256, 3).tolist()
        cv2.fillPoly(pixels, [corners], colour, cv2.LINE_AA)
        start, end = (random.random((2, 2)) * [width, height]).astype(int).tolist()
        cv2.line(pixels, start, end, (20, 20, 20), max(1, width // 800), cv2.LINE_AA)
    return Image.fromarray(pixels)


def chart(colours: Pixels) -> Image.Image:
    """A flat patch for every colour, `PATCH` pixels wide."""
    return Image.fromarray(colours.repeat(PATCH, axis=0).repeat(PATCH, axis=1))


def patches(picture: Image.Image) -> Values:
    """The mean colour of the middle of every patch of a chart."""
    pixels = np.asarray(picture.convert("RGB"), np.float64)
    rows, columns = picture.height // PATCH, picture.width // PATCH
    cells = pixels.reshape(rows, PATCH, columns, PATCH, 3)
    middle = slice(PATCH // 4, -(PATCH // 4))
    return np.asarray(cells[:, middle, :, middle].mean(axis=(1, 3)))


def grey_profile(*, gamma: float) -> bytes:
    """A profile for pixels that have lightness alone."""
    curve = b"curv" + struct.pack(">4xIH", 1, round(gamma * 256)) + bytes(2)
    return _profile(b"GRAYXYZ ", b"kTRC", curve)


@cache
def table_profile() -> bytes:
    """An RGB profile that no curves and matrix can replace: a table of dull, dark colours."""
    steps = np.linspace(0, 255, _TABLE_STEPS)
    inputs = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    meant = lab(inputs.reshape(-1, 3)) * [1, 0.6, 0.6]
    meant[:, 0] = 100 * (meant[:, 0] / 100) ** 1.1
    numbers = (meant + np.array([0, 128, 128])) * [652.8, 256, 256]
    identity = struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel().tolist())
    straight = struct.pack(">2H", 0, 65535) * 3
    head = b"mft2" + bytes(4) + bytes([3, 3, _TABLE_STEPS, 0]) + identity + struct.pack(">2H", 2, 2)
    table = numbers.round().astype(">u2").tobytes()
    return _profile(b"RGB Lab ", b"A2B0", head + straight + table + straight)


def _profile(spaces: bytes, name: bytes, meaning: bytes) -> bytes:
    """A display profile between two spaces, with one tag that defines the conversion."""
    white = struct.pack(">3i", *(round(part * 65536) for part in _WHITE_OF_PROFILES))
    tags = {
        b"desc": b"desc" + struct.pack(">4xI", 5) + b"test\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"test\0",
        b"wtpt": b"XYZ " + bytes(4) + white,
        name: meaning,
    }
    table, body = struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        at = 128 + 4 + 12 * len(tags) + len(body)
        table += tag + struct.pack(">II", at, len(value))
        body += value + bytes(-len(value) % 4)
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4xI", size, 0x02400000) + b"mntr" + spaces + bytes(12) + b"acsp"
    return head.ljust(68, b"\0") + white + bytes(48) + table + body


def in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """What LittleCMS makes of the picture."""
    converted = ImageCms.profileToProfile(
        picture,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        _SRGB,
        renderingIntent=ImageCms.Intent.PERCEPTUAL,
        outputMode="RGB",
    )
    assert converted
    return converted


def p3_in_srgb(p3: NDArray[np.generic]) -> Values:
    """By formula: colours in Display P3, from 0 to 255, in sRGB."""
    return numbers((light(p3) @ _SRGB_OF_P3.T).clip(0, 1))


def as_seen(content: bytes) -> Image.Image:
    """A file as a colour-managed viewer shows it: upright, in sRGB, on white paper."""
    pillow_heif.register_heif_opener()
    picture: Image.Image = Image.open(io.BytesIO(content))
    profile = picture.info.get("icc_profile")
    picture = ImageOps.exif_transpose(picture)
    if picture.mode == "RGBA":
        paper = Image.new("RGB", picture.size, "white")
        paper.paste(picture, mask=picture.getchannel("A"))
        picture = paper
    return in_srgb(picture, profile) if profile else picture.convert("RGB")


def resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """By Pillow's Lanczos, and not encoded."""
    return picture.resize(size, Resampling.LANCZOS)


def lab(srgb: NDArray[np.generic]) -> Values:
    """CIE L*a*b* under D65 of colours in sRGB, from 0 to 255."""
    return np.asarray(rgb2lab(srgb.astype(np.float64) / 255))


def mean_in_light(srgb: NDArray[np.generic]) -> Values:
    """The colour that a picture has from far away."""
    return numbers(light(srgb).reshape(-1, 3).mean(axis=0))


def light(srgb: NDArray[np.generic]) -> Values:
    numbers = srgb.astype(np.float64) / 255
    curve = ((numbers + 0.055) / 1.055) ** 2.4
    return np.asarray(np.where(numbers <= 0.04045, numbers / 12.92, curve))


def numbers(light: Values) -> Values:
    curve = 1.055 * light ** (1 / 2.4) - 0.055
    return np.asarray(255 * np.where(light <= 0.0031308, 12.92 * light, curve))


def difference(one: NDArray[np.generic], other: NDArray[np.generic]) -> Values:
    """CIEDE2000 of colours in sRGB: 1 is just noticeable."""
    return np.asarray(deltaE_ciede2000(lab(one), lab(other)))


def built_in(name: str) -> bytes:
    """A profile that libvips brings along."""
    profile: bytes = pyvips.Operation.call("profile_load", name)
    return profile


RGB_PROFILES: Final[dict[str, bytes]] = {
    "Display P3": built_in("p3"),
    "P3 with a plain gamma": pictures.icc_profile(pictures.P3_PRIMARIES),
    "Adobe RGB": pictures.icc_profile(_ADOBE_PRIMARIES, gamma=563 / 256),
    "ProPhoto": pictures.icc_profile(_PROPHOTO_PRIMARIES, gamma=1.8),
    "linear P3": pictures.icc_profile(pictures.P3_PRIMARIES, gamma=1.0),
    "a table": table_profile(),
}


def deep_png(picture: Image.Image, profile: bytes) -> bytes:
    """A PNG of 16 bits with a profile."""
    image = pyvips.Image.pngload_buffer(pictures.deep_png(picture)).copy()
    blob: Any = profile
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", blob)
    content: bytes = pyvips.Operation.call("pngsave_buffer", image, bitdepth=16, keep="icc")
    return content


def finest_jpeg(picture: Image.Image, profile: bytes) -> bytes:
    return pictures.jpeg(picture, quality=100, subsampling=0, icc_profile=profile)


def heic_with_profile(picture: Image.Image, profile: bytes) -> bytes:
    picture.info["icc_profile"] = profile
    return pictures.heic(picture, quality=95, chroma=444)


FILES: Final[dict[str, Callable[[Image.Image, bytes], bytes]]] = {
    "JPEG": finest_jpeg,
    "PNG": lambda picture, profile: pictures.png(picture, icc_profile=profile),
    "16-bit PNG": deep_png,
    "WebP": lambda picture, profile: pictures.webp(picture, lossless=True, icc_profile=profile),
    "HEIC": heic_with_profile,
}

_IPTC: Final = b"\x1c\x02\x50\x00\x0bIPTC-SECRET"
_RESOURCES: Final = b"Photoshop 3.0\0008BIM\x04\x04\0\0" + struct.pack(">I", len(_IPTC)) + _IPTC
XMP: Final = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/' xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/'"
    b" hdrgm:Version='1.0'>XMP-SECRET</x:xmpmeta>"
)
_ICC: Final = pictures.icc_profile(pictures.SRGB_PRIMARIES, name="ICC-SECRET")
# Where a TIFF with the highest byte first has its orientation.
_ORIENTATION: Final = b"\x01\x12\0\x03\0\0\0\x01"


def exif(*, orientation: int = 1, gps: str = "") -> bytes:
    fields = Image.Exif()
    fields[Base.Make], fields[Base.Orientation] = "EXIF-SECRET", orientation
    if gps:
        fields.get_ifd(IFD.GPSInfo).update({GPS.GPSLatitudeRef: gps, GPS.GPSLatitude: (52, 31, 12)})
    return fields.tobytes()


def png_with_texts() -> bytes:
    texts = PngInfo()
    texts.add_text("Comment", "COMMENT-SECRET")
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return pictures.png(pnginfo=texts, exif=exif(gps="N"), icc_profile=_ICC)


def jpeg_of_an_editor() -> bytes:
    """One with the captions that news agencies use, next to EXIF, GPS, XMP and a profile."""
    content = pictures.talkative()
    segment = b"\xff\xed" + struct.pack(">H", 2 + len(_RESOURCES) + 1) + _RESOURCES + b"\0"
    return content[:20] + segment + content[20:]


def jpeg_with_thumbnail() -> bytes:
    small = pictures.jpeg(pictures.corners(40, 30))
    first = struct.pack("<HHHI4sI", 1, Base.Make, 2, 4, b"abc", 26)
    second = struct.pack(
        "<H HHII HHII HHII I", 3, 0x103, 3, 1, 6, 0x201, 4, 1, 68, 0x202, 4, 1, len(small), 0
    )
    return pictures.jpeg(exif=b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + second + small)


def heic_with_everything() -> bytes:
    picture = pictures.corners()
    picture.info["icc_profile"] = _ICC
    return pictures.heic(picture, exif=exif(gps="N"), xmp=XMP)


def jpeg_with_gain_map() -> bytes:
    """The corners, with a second JPEG after the first, as phones make them for bright screens."""
    buffer = io.BytesIO()
    gains = pictures.noise(120, 80).convert("L")
    pictures.corners().save(
        buffer, "MPO", save_all=True, append_images=[gains], quality=95, xmp=XMP
    )
    return buffer.getvalue()


def turned_heic(*, stored: Image.Image, container: int, exif_orientation: int) -> bytes:
    """A HEIC whose container rotates its pixels, independently of its EXIF orientation."""
    # Pixels alone: what the picture remembers of its file would turn it once more.
    bare = Image.fromarray(np.asarray(stored))
    content = pictures.heic(bare, exif=exif(orientation=container))
    assert content.count(_ORIENTATION) == 1
    at = content.index(_ORIENTATION) + len(_ORIENTATION)
    return content[:at] + struct.pack(">H", exif_orientation) + content[at + 2 :]


TALKATIVE: Final[dict[str, tuple[Callable[[], bytes], tuple[MetadataKind, ...]]]] = {
    "JPEG": (jpeg_of_an_editor, ("comment", "exif", "gps", "icc", "iptc", "xmp")),
    "JPEG with a thumbnail": (jpeg_with_thumbnail, ("exif", "thumbnail")),
    "JPEG with a gain map": (jpeg_with_gain_map, ("xmp",)),
    "PNG": (png_with_texts, ("comment", "exif", "gps", "icc", "xmp")),
    "WebP": (
        lambda: pictures.webp(exif=exif(gps="N"), xmp=XMP, icc_profile=_ICC),
        ("exif", "gps", "icc", "xmp"),
    ),
    "AVIF": (
        lambda: pictures.avif(exif=exif(gps="N"), xmp=XMP, icc_profile=_ICC),
        ("exif", "gps", "icc", "xmp"),
    ),
    "HEIC": (heic_with_everything, ("exif", "gps", "icc", "xmp")),
    "HEIC without a place": (lambda: pictures.heic(exif=exif()), ("exif",)),
}
