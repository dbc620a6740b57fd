"""Pictures: small ones of every kind, made here, so that no test needs a file."""

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pillow_heif
import pyvips
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.Image import Transpose

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 180, 40), (30, 40, 220), (230, 210, 30)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
CORNERS: Final = (RED, GREEN, BLUE, YELLOW)

# What was done to an upright picture so that a reader of the EXIF orientation can undo it.
_STORED_AS: Final = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_270,
}
SECRETS: Final = (b"EXIF-SECRET", b"XMP-SECRET", b"COMMENT-SECRET", b"ICC-SECRET")

# CIE XYZ under D50 of the primaries red, green, blue, as profiles store them.
SRGB_PRIMARIES: Final = (
    (0.4361, 0.2225, 0.0139),
    (0.3851, 0.7169, 0.0971),
    (0.1431, 0.0606, 0.7141),
)
# The same as some old profiles have them, under the D65 of the screen.
UNADAPTED_PRIMARIES: Final = (
    (0.4124, 0.2126, 0.0193),
    (0.3576, 0.7152, 0.1192),
    (0.1805, 0.0722, 0.9505),
)
P3_PRIMARIES: Final = (
    (0.5151, 0.2412, -0.0011),
    (0.2919, 0.6922, 0.0419),
    (0.1572, 0.0666, 0.7841),
)


def corners(width: int = 240, height: int = 160) -> Image.Image:
    """Four quarters: red, green / blue, yellow. Only one way up is the right one."""
    picture = Image.new("RGB", (width, height))
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    for index, colour in enumerate(CORNERS):
        picture.paste(
            colour,
            (
                half_width * (index % 2),
                half_height * (index // 2),
                width if index % 2 else half_width,
                height if index // 2 else half_height,
            ),
        )
    return picture


def noise(width: int, height: int, *, deviation: float = 60.0) -> Image.Image:
    """Grain that no codec can shorten; always the same."""
    grain = np.random.default_rng(1).normal(128, deviation, (height, width, 3))
    return Image.fromarray(grain.clip(0, 255).astype(np.uint8))


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as a file of the kind that Pillow calls `kind`."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(picture: Image.Image | None = None, **options: Any) -> bytes:
    """A JPEG at quality 95; of the corners if nothing else is given."""
    return encoded(picture or corners(), "JPEG", **{"quality": 95, **options})


def png(picture: Image.Image | None = None, **options: Any) -> bytes:
    return encoded(picture or corners(), "PNG", **options)


def heic(picture: Image.Image | None = None, **options: Any) -> bytes:
    """A HEIC as iPhones make them, unless options say otherwise."""
    fast = {"quality": 90, "enc_params": {"preset": "ultrafast"}}
    return saved_heic(pillow_heif.from_pillow(picture or corners()), **{**fast, **options})


def saved_heic(file: pillow_heif.HeifFile, **options: Any) -> bytes:
    """The bytes of a HEIC."""
    buffer = io.BytesIO()
    file.save(buffer, **options)
    return buffer.getvalue()


def avif(picture: Image.Image | None = None, **options: Any) -> bytes:
    return encoded(picture or corners(), "AVIF", **{"quality": 90, "speed": 10, **options})


def webp(picture: Image.Image | None = None, **options: Any) -> bytes:
    return encoded(picture or corners(), "WEBP", **{"quality": 90, **options})


def oriented(orientation: int, width: int = 240, height: int = 160) -> bytes:
    """A JPEG that is `width` × `height` once its EXIF orientation has been applied."""
    picture = corners(width, height)
    if orientation in _STORED_AS:
        picture = picture.transpose(_STORED_AS[orientation])
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    return jpeg(picture, exif=exif)


def talkative(picture: Image.Image | None = None) -> bytes:
    """A JPEG with everything a phone adds: GPS, EXIF, XMP, a profile, a comment, a thumbnail."""
    exif = Image.Exif()
    exif[Base.Make] = SECRETS[0].decode()
    exif.get_ifd(IFD.GPSInfo).update(
        {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (52.0, 31.0, 12.0), GPS.GPSAltitude: 34.0}
    )
    return jpeg(
        picture,
        exif=exif,
        xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>XMP-SECRET</x:xmpmeta>",
        comment=SECRETS[2],
        icc_profile=icc_profile(SRGB_PRIMARIES, name="ICC-SECRET"),
    )


def icc_profile(
    primaries: tuple[tuple[float, float, float], ...], *, gamma: float = 2.2, name: str = "test"
) -> bytes:
    """An RGB display profile with the primaries red, green and blue, and one gamma."""
    curve = b"curv" + struct.pack(">4xIH", 1, round(gamma * 256)) + bytes(2)
    text = name.encode("ascii") + b"\0"
    tags = {
        b"desc": b"desc" + struct.pack(">4xI", len(text)) + text + bytes(78),
        b"cprt": b"text" + bytes(4) + text,
        b"wtpt": _xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": _xyz(*primaries[0]),
        b"gXYZ": _xyz(*primaries[1]),
        b"bXYZ": _xyz(*primaries[2]),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body = struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        offset = 128 + 4 + 12 * len(tags) + len(body)
        table += tag + struct.pack(">II", offset, len(value))
        body += value + bytes(-len(value) % 4)
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4xI", size, 0x02400000) + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    return head.ljust(68, b"\0") + _xyz(0.9642, 1.0, 0.8249)[8:] + bytes(48) + table + body


def _xyz(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def deep_grey_heic(picture: Image.Image, *, alpha: bool = False) -> bytes:
    """A grey HEIC of 10 bits in each channel."""
    pixels = np.asarray(picture).astype(np.uint16) * 257
    opaque = np.full_like(pixels, 65535)
    samples = np.dstack([pixels, opaque]) if alpha else pixels
    mode = "LA;16" if alpha else "L;16"
    return saved_heic(pillow_heif.from_bytes(mode, picture.size, samples.tobytes()), quality=90)


def deep_grey_avif(picture: Image.Image, *, bits: int) -> bytes:
    """A grey AVIF of 10 or 12 bits in each channel."""
    pixels = np.asarray(picture).astype(np.uint16)[..., None] * 257
    image = pyvips.Image.new_from_array(pixels).copy(interpretation="grey16")
    content: bytes = image.heifsave_buffer(compression="av1", bitdepth=bits, Q=90)
    return content


def deep_png(picture: Image.Image, **options: Any) -> bytes:
    """A PNG of 16 bits in each channel, which Pillow cannot write."""
    pixels = np.asarray(picture).astype(np.uint16) * 257
    grey = pixels.ndim == 2
    image = pyvips.Image.new_from_array(pixels[..., None] if grey else pixels)
    image = image.copy(interpretation="grey16" if grey else "rgb16")
    content: bytes = image.pngsave_buffer(bitdepth=16, **options)
    return content


def interlaced_png(picture: Image.Image) -> bytes:
    image = pyvips.Image.new_from_array(np.asarray(picture)).copy(interpretation="srgb")
    content: bytes = image.pngsave_buffer(interlace=True)
    return content


def grey() -> Image.Image:
    """From black at the top to white at the bottom."""
    return Image.linear_gradient("L").resize((320, 200))


def half_transparent(width: int = 240, height: int = 160) -> Image.Image:
    """The corners, of which the left half is transparent."""
    picture = corners(width, height).convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, width // 2, height))
    return picture


PLAIN: Final[dict[str, Callable[[], bytes]]] = {
    "progressive JPEG": lambda: jpeg(progressive=True),
    "4:4:4 JPEG": lambda: jpeg(subsampling=0),
    "PNG": png,
    "interlaced PNG": lambda: interlaced_png(corners()),
    "16-bit PNG": lambda: deep_png(corners()),
    "16-bit interlaced PNG": lambda: deep_png(corners(), interlace=True),
    "palette PNG": lambda: png(corners().quantize(8)),
    "lossy WebP": lambda: encoded(corners(), "WEBP", quality=95),
    "lossless WebP": lambda: encoded(corners(), "WEBP", lossless=True),
    "HEIC": heic,
    "4:4:4 HEIC": lambda: heic(chroma=444),
    "AVIF": avif,
    "JPEG with trailing bytes": lambda: jpeg() + b"PK\x03\x04" + bytes(5000),
}
GREYS: Final[dict[str, Callable[[], bytes]]] = {
    "JPEG": lambda: jpeg(grey()),
    "PNG": lambda: png(grey()),
    "16-bit PNG": lambda: deep_png(grey()),
    "1-bit PNG": lambda: png(grey().convert("1")),
    "PNG with alpha": lambda: png(grey().convert("LA")),
    "WebP": lambda: webp(grey()),
    "HEIC": lambda: heic(grey()),
    "HEIC with alpha": lambda: heic(grey().convert("LA")),
    "10-bit HEIC": lambda: deep_grey_heic(grey()),
    "10-bit HEIC with alpha": lambda: deep_grey_heic(grey(), alpha=True),
    "AVIF": lambda: avif(grey()),
    "AVIF with alpha": lambda: avif(grey().convert("LA")),
    "10-bit AVIF": lambda: deep_grey_avif(grey(), bits=10),
    "12-bit AVIF": lambda: deep_grey_avif(grey(), bits=12),
}
TRANSPARENT: Final[dict[str, Callable[[], bytes]]] = {
    "PNG": lambda: png(half_transparent()),
    "large PNG": lambda: png(half_transparent(2000, 1500)),
    "16-bit PNG": lambda: deep_png(half_transparent()),
    "palette PNG": lambda: png(half_transparent().quantize(8)),
    "WebP": lambda: encoded(half_transparent(), "WEBP", quality=95),
    "HEIC": lambda: heic(half_transparent()),
    "AVIF": lambda: avif(half_transparent()),
    "PNG with profile": lambda: png(half_transparent(), icc_profile=icc_profile(SRGB_PRIMARIES)),
}


def opened(content: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture


def colours_in_corners(content: bytes) -> list[tuple[int, ...]]:
    """The colours an eighth from each corner: top left, top right, bottom left, bottom right."""
    picture = opened(content).convert("RGB")
    across, down = picture.width // 8, picture.height // 8
    rows = (down, picture.height - 1 - down)
    columns = (across, picture.width - 1 - across)
    pixels = np.asarray(picture)
    return [tuple(int(part) for part in pixels[row, column]) for row in rows for column in columns]


def is_like(actual: tuple[int, ...], expected: tuple[int, ...], *, within: int = 12) -> bool:
    """Whether no channel is further than `within` of 255 from what is expected."""
    return all(abs(a - b) <= within for a, b in zip(actual, expected, strict=True))


def segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Every marker of a JPEG with its body, checked to end with the last byte."""
    assert content[:2] == b"\xff\xd8"
    at = 2
    while content[at + 1] != 0xD9:
        assert content[at] == 0xFF
        marker, length = struct.unpack_from(">xBH", content, at)
        yield marker, content[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xDA:
            while content[at] != 0xFF or content[at + 1] in {0x00, *range(0xD0, 0xD8)}:
                at += 1
    assert content[at:] == b"\xff\xd9"
