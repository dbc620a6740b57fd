"""The sandbox and hostile files: nothing that a stranger sends gets further than a failed post."""

import base64
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from domain.formats import ContentType
from tests.transcoder import pictures
from transcoder.errors import (
    ContentTypeMismatch,
    CorruptImage,
    FormatSwitchedOff,
    NotAnImage,
    PermanentFailure,
    SideTooLong,
    TooManyPixels,
)
from transcoder.processing.pipeline import render
from transcoder.rendering import Limits, Rendering

# Runs in a process of its own, after the sandbox was entered; prints what it found.
PROBE: Final = """
import base64, json, os, resource, sys
import pyvips
from transcoder.processes.sandbox import enter_sandbox, limit_cpu
from transcoder.rendering import Limits

limits = Limits()
enter_sandbox(limits)
enter_sandbox(limits)
limit_cpu(limits)

def attempt(action):
    try:
        return repr(action())
    except Exception as error:
        return type(error).__name__

def load(content):
    pyvips.Image.new_from_buffer(base64.b64decode(content), "")
    return "opened"

def write():
    with open(sys.argv[1], "wb") as file:
        file.write(b"x")

files = json.load(sys.stdin)
loads = {name: attempt(lambda: load(content)) for name, content in files.items()}
enter_sandbox(Limits(heif=False))
json.dump(
    {
        "loads": loads,
        "without_heif": {
            name: attempt(lambda: load(content))
            for name, content in files.items()
            if name.startswith("image/")
        },
        "limits": {
            name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
            for name in ("AS", "NOFILE", "FSIZE", "CORE", "CPU")
        },
        "write": attempt(write),
    },
    sys.stdout,
)
"""
SVG: Final = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect/></svg>'
FOREIGN: Final[dict[str, Callable[[], bytes]]] = {
    "GIF": lambda: pictures.encoded(pictures.corners(), "GIF"),
    "TIFF": lambda: pictures.encoded(pictures.corners(), "TIFF"),
    "JPEG 2000": lambda: pictures.encoded(pictures.corners(), "JPEG2000"),
    "PPM": lambda: pictures.encoded(pictures.corners(), "PPM"),
    "PDF": lambda: pictures.encoded(pictures.corners(), "PDF"),
    "BMP": lambda: pictures.encoded(pictures.corners(), "BMP"),
    "SVG": lambda: SVG,
    "text": lambda: b"push graphic-context\nviewbox 0 0 640 480\n",
}
OURS: Final[dict[ContentType, Callable[[], bytes]]] = {
    "image/jpeg": pictures.jpeg,
    "image/png": pictures.png,
    "image/webp": pictures.webp,
    "image/avif": pictures.avif,
    "image/heic": pictures.heic,
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a sandboxed process could still do."""
    makers: dict[str, Callable[[], bytes]] = FOREIGN | {**OURS}
    files = {name: base64.b64encode(make()).decode() for name, make in makers.items()}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(tmp_path_factory.mktemp("write") / "file")],
        input=json.dumps(files),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("kind", FOREIGN)
def test_libvips_itself_refuses_what_we_do_not_accept(found: dict[str, Any], kind: str) -> None:
    assert found["loads"][kind] == "Error"


@pytest.mark.parametrize("kind", OURS)
def test_libvips_still_opens_what_we_accept(found: dict[str, Any], kind: str) -> None:
    assert found["loads"][kind] == "'opened'"


def test_libvips_refuses_the_whole_heif_family_when_it_is_switched_off(
    found: dict[str, Any],
) -> None:
    assert found["without_heif"] == {
        kind: "Error" if kind in {"image/avif", "image/heic"} else "'opened'" for kind in OURS
    }


def test_memory_files_and_time_are_bounded(found: dict[str, Any]) -> None:
    limits = Limits()
    assert found["limits"]["AS"] == [limits.address_space_bytes] * 2
    assert found["limits"]["NOFILE"] == [limits.open_files] * 2
    assert found["limits"]["FSIZE"] == [0, 0]
    assert found["limits"]["CORE"] == [0, 0]
    # The pool's deadline comes first, even for a picture that keeps two cores busy.
    assert 2 * limits.killed_after_seconds < found["limits"]["CPU"][0] < 120


def test_a_file_cannot_be_written(found: dict[str, Any]) -> None:
    assert found["write"] == "OSError"


def outcome(content: bytes, announced: ContentType = "image/jpeg") -> Rendering | PermanentFailure:
    """What becomes of the bytes; anything but these two is a bug and ends the test."""
    try:
        return render(content, announced, Limits())
    except PermanentFailure as failure:
        return failure


@pytest.mark.parametrize("content", [b"", b"\xff", b"\xff\xd8", b"hello", b"\x89PNG", b"RIFF"])
def test_what_is_too_short_to_be_a_photo_is_not_an_image(content: bytes) -> None:
    assert isinstance(outcome(content), NotAnImage)


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_of_another_kind_is_not_an_image(kind: str) -> None:
    assert isinstance(outcome(FOREIGN[kind]()), NotAnImage)


def test_a_png_announced_as_a_jpeg_is_a_mismatch() -> None:
    failure = outcome(pictures.png())
    assert isinstance(failure, ContentTypeMismatch)
    assert (failure.announced, failure.actual) == ("image/jpeg", "image/png")


@pytest.mark.parametrize(
    ("content", "announced"),
    [
        (b"\xff\xd8\xff" + bytes(100), "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n" + b"<svg/>" * 20, "image/png"),
        (b"RIFF\x20\0\0\0WEBPVP8 " + bytes(20), "image/webp"),
    ],
)
def test_the_right_first_bytes_alone_make_no_photo(content: bytes, announced: ContentType) -> None:
    assert isinstance(outcome(content, announced), CorruptImage)


@pytest.mark.parametrize("part", [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
@pytest.mark.parametrize("announced", OURS)
def test_a_truncated_photo_is_corrupt(announced: ContentType, part: float) -> None:
    content = OURS[announced]()
    cut = content[: max(64, int(len(content) * part))]
    assert isinstance(outcome(cut, announced), CorruptImage)


def test_a_truncated_jpeg_is_corrupt_even_with_an_end_marker() -> None:
    content = pictures.jpeg(pictures.noise(400, 300))
    assert isinstance(outcome(content[: len(content) // 2] + b"\xff\xd9"), CorruptImage)


def test_a_jpeg_with_a_few_bytes_too_many_is_published() -> None:
    content = pictures.jpeg(pictures.noise(400, 300))
    assert isinstance(outcome(content[:-2] + bytes(3) + content[-2:]), Rendering)


def test_every_heif_is_refused_while_it_is_switched_off() -> None:
    limits = Limits(heif=False)
    for announced in ("image/heic", "image/heif", "image/avif"):
        content = pictures.avif() if announced == "image/avif" else pictures.heic()
        with pytest.raises(FormatSwitchedOff):
            render(content, announced, limits)


def png_that_promises(width: int, height: int) -> bytes:
    """A small PNG whose header promises `width` × `height` pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100_000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def jpeg_that_promises(width: int, height: int) -> bytes:
    """A small JPEG whose frame header promises `width` × `height` pixels."""
    content = pictures.jpeg()
    frame = content.index(b"\xff\xc0")
    return content[: frame + 5] + struct.pack(">HH", height, width) + content[frame + 9 :]


def with_segments(content: bytes, marker: int, *bodies: bytes) -> bytes:
    """The JPEG with more segments of one kind after its first two bytes."""
    segments = (struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for body in bodies)
    return content[:2] + b"".join(segments) + content[2:]


def test_a_header_that_promises_too_much_is_refused_before_a_pixel_is_decoded() -> None:
    assert isinstance(outcome(png_that_promises(16_000, 16_000), "image/png"), TooManyPixels)
    assert isinstance(outcome(png_that_promises(70_000, 10), "image/png"), SideTooLong)
    assert isinstance(outcome(jpeg_that_promises(65_500, 65_500)), TooManyPixels)
    assert isinstance(outcome(jpeg_that_promises(16_000, 16_000)), TooManyPixels)


def test_a_header_that_promises_more_than_there_is_is_corrupt() -> None:
    assert isinstance(outcome(png_that_promises(5000, 5000), "image/png"), CorruptImage)
    # A JPEG that ends early but properly is a smaller loss to libjpeg: bounded, and published.
    assert isinstance(outcome(jpeg_that_promises(5000, 5000)), Rendering | CorruptImage)


def test_giant_metadata_is_dropped_or_refused() -> None:
    exif = [b"Exif\0\0" + b"A" * 65_000] * 40
    profile = [b"ICC_PROFILE\0" + bytes([n, 200]) + b"A" * 65_000 for n in range(1, 201)]
    for content in (
        with_segments(pictures.jpeg(), 0xE1, *exif),
        with_segments(pictures.jpeg(), 0xE2, *profile),
        with_segments(pictures.jpeg(), 0xFE, *[b"C" * 65_000] * 100),
    ):
        made = outcome(content)
        assert isinstance(made, Rendering)
        assert all(len(variant.content) < 20_000 for variant in made.variants)


@pytest.mark.parametrize("announced", ["image/jpeg", "image/png"])
def test_what_is_hidden_behind_a_photo_does_not_survive(announced: ContentType) -> None:
    photo = pictures.jpeg() if announced == "image/jpeg" else pictures.png()
    made = outcome(photo + b"PK\x03\x04" + b"HIDDEN" * 1000 + b"PK\x05\x06", announced)
    assert isinstance(made, Rendering)
    for variant in made.variants:
        assert b"HIDDEN" not in variant.content
        list(pictures.segments(variant.content))
