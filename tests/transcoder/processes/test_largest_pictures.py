"""The largest legal pictures: an image process has enough of everything for them, and no more."""

import sys
from pathlib import Path

import psutil
import pytest

from domain.photo_limits import PHOTO_LIMITS
from domain.recipes import MEGAPIXEL
from tests.transcoder import pictures
from tests.transcoder.processes.hdr_pictures import HDR
from tests.transcoder.processes.largest_pictures import (
    BOX,
    COSTLIEST,
    COSTLY,
    HEIGHT,
    LARGEST,
    MAX_UPLOAD_BYTES,
    TOO_COSTLY,
    WIDTH,
    Kind,
    largest_accepted,
    made_once,
    needed_bytes,
)
from transcoder.errors import TooMuchMemory
from transcoder.processes.pool import RenderPool
from transcoder.processing.colour.colour_space import ColourSpace
from transcoder.processing.decode import bytes_of_16_bits
from transcoder.processing.load import load
from transcoder.processing.pipeline import render
from transcoder.rendering import MIB, PROCESS_BYTES, Limits

pytestmark = pytest.mark.anyio


def peak_bytes(process: psutil.Process) -> int:
    """The most memory that the process ever had."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


async def pool_of_one() -> tuple[RenderPool, psutil.Process]:
    """A warm pool and its only process."""
    before = set(psutil.Process().children())
    # A busy machine may take its time.
    pool = RenderPool(size=1, limits=Limits(deadline_seconds=240))
    await pool.warm()
    (process,) = set(psutil.Process().children()) - before
    return pool, process


@pytest.mark.parametrize("kind", COSTLY)
async def test_a_process_renders_one_largest_picture_after_the_other(kind: str) -> None:
    content, content_type = made_once(COSTLY[kind]), COSTLY[kind].content_type
    pool, process = await pool_of_one()
    # Twice: what the first one leaves reserved must not be missing for the second.
    for _ in range(2):
        made = await pool.render(content, content_type=content_type)
        assert 0.99 * WIDTH * HEIGHT < made.width * made.height <= WIDTH * HEIGHT
        assert {variant.width for variant in made.variants} == {4000, 600, 150}
    if sys.platform == "linux":
        assert peak_bytes(process) < PROCESS_BYTES


@pytest.mark.parametrize("kind", LARGEST)
async def test_the_largest_photos_of_phones_and_of_each_type_are_rendered(kind: str) -> None:
    content, content_type = made_once(LARGEST[kind]), LARGEST[kind].content_type
    pool, process = await pool_of_one()
    made = await pool.render(content, content_type=content_type)
    assert max(made.variants[0].width, made.variants[0].height) == BOX
    if sys.platform == "linux":
        assert peak_bytes(process) < PROCESS_BYTES


@pytest.mark.parametrize("kind", COSTLIEST)
def test_what_is_always_accepted_fits_whatever_its_structure_and_size_in_bytes(kind: str) -> None:
    pixels = PHOTO_LIMITS[COSTLIEST[kind].content_type].always_accepted_pixels
    assert _most_needed(COSTLIEST[kind], pixels) <= Limits().memory_bytes
    assert _most_needed(COSTLIEST[kind], pixels + MEGAPIXEL) > Limits().memory_bytes


def _most_needed(kind: Kind, pixels: int) -> int:
    """What a file of most bytes needs, in a colour space that needs 16 bits if it has them."""
    width = int(pixels**0.5)
    content = kind.make(width, pixels // width)
    header = load(content, kind.content_type)
    in_16_bits = bytes_of_16_bits(header, kind.content_type, ColourSpace(), box=BOX)
    return needed_bytes(content, kind) + MAX_UPLOAD_BYTES - len(content) + in_16_bits


@pytest.mark.parametrize(
    "kind", ["WebP of 78 megapixels", "HEIC of 78 megapixels", "AVIF of 24 megapixels"]
)
def test_the_limit_of_a_type_is_what_memory_bears_of_its_cheapest_files(kind: str) -> None:
    content, content_type = made_once(LARGEST[kind]), LARGEST[kind].content_type
    pixels = PHOTO_LIMITS[content_type].max_pixels
    header = load(content, content_type)
    without_pixels = 180 * MIB + len(content)
    per_pixel = (needed_bytes(content, LARGEST[kind]) - without_pixels) / (
        header.width * header.height
    )
    limit = Limits().memory_bytes
    assert (
        without_pixels + per_pixel * pixels
        <= limit
        < without_pixels + per_pixel * (pixels + MEGAPIXEL)
    )


@pytest.mark.parametrize("kind", TOO_COSTLY)
def test_what_would_need_too_much_memory_is_refused_by_its_header(kind: str) -> None:
    content, content_type = made_once(TOO_COSTLY[kind]), TOO_COSTLY[kind].content_type
    with pytest.raises(TooMuchMemory):
        render(content, content_type, Limits())


@pytest.mark.parametrize("kind", TOO_COSTLY)
async def test_the_largest_that_is_not_refused_is_rendered(kind: str) -> None:
    content = largest_accepted(TOO_COSTLY[kind])
    pool, process = await pool_of_one()
    await pool.render(content, content_type=TOO_COSTLY[kind].content_type)
    if sys.platform == "linux":
        assert peak_bytes(process) < PROCESS_BYTES


@pytest.mark.parametrize("kind", HDR)
async def test_an_hdr_picture_stays_within_the_memory_of_its_process(kind: str) -> None:
    content = HDR[kind].make()
    pool, process = await pool_of_one()
    for _ in range(2):
        await pool.render(content, content_type=HDR[kind].content_type)
    if sys.platform == "linux":
        assert peak_bytes(process) < PROCESS_BYTES


@pytest.mark.skipif(sys.platform != "linux", reason="only there is address space limited like this")
async def test_a_process_keeps_almost_no_address_space_from_one_picture_to_the_next() -> None:
    pool, process = await pool_of_one()
    warm = process.memory_info().vms
    for _ in range(3):
        await pool.render(pictures.jpeg(pictures.noise(1600, 1200)), content_type="image/jpeg")
    # Some 55 MiB; 290 and more where each thread has reserved its own.
    assert process.memory_info().vms - warm < 150 * MIB
