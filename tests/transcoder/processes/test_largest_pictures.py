"""The largest legal pictures: an image process has enough of everything for them, and no more."""

import sys
from pathlib import Path

import psutil
import pytest

from domain.recipes import MAX_PIXELS
from tests.transcoder import pictures
from tests.transcoder.processes.largest_pictures import (
    COSTLY,
    TOO_COSTLY,
    largest_accepted,
    of_50_megapixels,
)
from transcoder.errors import TooMuchMemory
from transcoder.processes.pool import RenderPool
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
    content, content_type = of_50_megapixels(COSTLY[kind]), COSTLY[kind].content_type
    pool, process = await pool_of_one()
    # Twice: what the first one leaves reserved must not be missing for the second.
    for _ in range(2):
        made = await pool.render(content, content_type=content_type)
        assert 0.99 * MAX_PIXELS < made.width * made.height <= MAX_PIXELS
        assert {variant.width for variant in made.variants} == {4000, 600, 150}
    if sys.platform == "linux":
        assert peak_bytes(process) < PROCESS_BYTES


@pytest.mark.parametrize("kind", TOO_COSTLY)
def test_what_would_need_too_much_memory_is_refused_by_its_header(kind: str) -> None:
    content, content_type = of_50_megapixels(TOO_COSTLY[kind]), TOO_COSTLY[kind].content_type
    with pytest.raises(TooMuchMemory):
        render(content, content_type, Limits())


@pytest.mark.parametrize("kind", TOO_COSTLY)
async def test_the_largest_that_is_not_refused_is_rendered(kind: str) -> None:
    content = largest_accepted(TOO_COSTLY[kind])
    pool, process = await pool_of_one()
    await pool.render(content, content_type=TOO_COSTLY[kind].content_type)
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
