"""Effort: what a picture costs is known from its header, and bounded before it is decoded."""

from collections.abc import Callable

import pytest

from domain.formats import SNIFF_BYTES, sniff
from tests.transcoder import pictures
from tests.transcoder.processing import hostile
from tests.transcoder.processing.renditions import rendered
from transcoder.errors import TooComplex
from transcoder.processing.limits.effort import cpu_seconds, scans
from transcoder.processing.limits.probe import check_effort
from transcoder.processing.load import load
from transcoder.rendering import Limits

SOS = b"\xff\xda"
LIMITS = Limits(cpu_seconds=2.0, cpu_seconds_per_megabyte=3.0, most_cpu_seconds=10.0)


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (pictures.jpeg, 1),
        (lambda: pictures.jpeg(progressive=True), 10),
        (lambda: pictures.jpeg(pictures.grey(), progressive=True), 6),
        (lambda: hostile.jpeg_of_scans(123), 123),
    ],
)
def test_the_scans_of_a_jpeg_are_counted(make: Callable[[], bytes], count: int) -> None:
    assert scans(make()) == count


@pytest.mark.parametrize("ending", [b"", pictures.jpeg(progressive=True), SOS * 100])
def test_scans_beside_those_of_the_picture_do_not_count(ending: bytes) -> None:
    # As thumbnails have them, and gain maps and videos behind the picture.
    assert scans(hostile.jpeg_with(0xE1, SOS * 100, pictures.jpeg()) + ending) == 1


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"\xff\xd8" + SOS, b"\xff" * 100, (SOS + b"\0\2") * 5000]
)
def test_counting_scans_ends_with_the_file(content: bytes) -> None:
    assert scans(content) <= 1001


@pytest.mark.parametrize(("file_size", "most"), [(0, 2.0), (1_000_000, 5.0), (50_000_000, 10.0)])
def test_the_bound_grows_with_the_bytes_sent_up_to_a_limit(file_size: int, most: float) -> None:
    check_effort(most, file_size, LIMITS)
    with pytest.raises(TooComplex):
        check_effort(most + 0.01, file_size, LIMITS)


@pytest.mark.parametrize(("count", "width", "height"), [(300, 5000, 4000), (1001, 24, 16)])
def test_a_jpeg_of_too_many_scans_is_refused_by_its_header(
    count: int, width: int, height: int
) -> None:
    with pytest.raises(TooComplex):
        rendered(hostile.jpeg_of_scans(count, width=width, height=height))


@pytest.mark.parametrize(
    ("cheaper", "costlier"),
    [
        (pictures.jpeg, lambda: pictures.jpeg(pictures.corners().convert("CMYK"))),
        (
            lambda: pictures.jpeg(progressive=True),
            lambda: hostile.jpeg_of_scans(20, width=240, height=160),
        ),
        (pictures.png, lambda: pictures.interlaced_png(pictures.corners())),
        (pictures.png, lambda: pictures.deep_png(pictures.corners())),
        (pictures.heic, lambda: pictures.heic(pictures.half_transparent())),
        (pictures.heic, lambda: pictures.heic(chroma=444)),
        (lambda: pictures.heic(pictures.grey()), lambda: pictures.deep_grey_heic(pictures.grey())),
        (pictures.heic, pictures.avif),
        (pictures.avif, lambda: pictures.avif(pictures.half_transparent())),
    ],
)
def test_a_costlier_structure_has_a_higher_forecast(
    cheaper: Callable[[], bytes], costlier: Callable[[], bytes]
) -> None:
    assert _seconds_per_pixel(cheaper()) < _seconds_per_pixel(costlier())


def _seconds_per_pixel(content: bytes) -> float:
    content_type = sniff(content[:SNIFF_BYTES])
    assert content_type
    header = load(content, content_type)
    pixels: int = header.width * header.height
    return cpu_seconds(content, content_type, header) / pixels
