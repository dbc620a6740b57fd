"""The pool: whatever a picture does to its process, the next picture finds the pool whole."""

import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

import anyio
import psutil
import pytest
import pyvips

from domain.formats import SNIFF_BYTES, sniff
from domain.recipes import RECIPES
from tests.transcoder import pictures
from tests.transcoder.processes.largest_pictures import COSTLY, made_once
from tests.transcoder.processes.running import image_processes
from transcoder.errors import (
    ContentTypeMismatch,
    CorruptImage,
    NotAnImage,
    OutOfMemory,
    RendererCrashed,
    RenderTimedOut,
    TooManyPixels,
    TranscoderError,
    UnexpectedFailure,
)
from transcoder.processes import renderer, sandbox
from transcoder.processes.pool import RenderPool
from transcoder.processing import pipeline
from transcoder.rendering import MIB, Limits, Rendering

pytestmark = pytest.mark.anyio

PIXELS_ONLY: Final = {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}
# Upright sizes, as a person who looks at the photos sees them.
PHOTOS: Final = {
    "alpha-2048x1536.png": (2048, 1536),
    "camera-2725x2225.jpg": (2725, 2225),
    "cmyk.jpg": (500, 333),
    "orientation6-600x450.jpg": (450, 600),
    "phone-3024x4032-p3.heic": (3024, 4032),
    "phone-3264x2448-gps.jpg": (3264, 2448),
    "phone-4032x3024-gps.jpg": (4032, 3024),
    "phone-4608x1976-gps.jpg": (4608, 1976),
    "photo-vp8x.webp": (1440, 900),
    "ultrahdr-gainmap.jpg": (3840, 2160),
}


class Outcomes:
    """What became of several pictures that were rendered at the same time."""

    def __init__(self, pool: RenderPool) -> None:
        self.pool = pool
        self.made: list[Rendering] = []
        self.failures: list[TranscoderError] = []

    async def render(self, content: bytes) -> None:
        try:
            self.made.append(await self.pool.render(content, content_type="image/jpeg"))
        except TranscoderError as error:
            self.failures.append(error)


async def warm_pool(size: int = 1, limits: Limits | None = None) -> RenderPool:
    pool = RenderPool(size=size, limits=limits or Limits())
    await pool.warm()
    return pool


async def busy_process(among: set[psutil.Process]) -> psutil.Process:
    """The first of the processes that is seen to work."""
    before = {process: sum(process.cpu_times()[:2]) for process in among}
    with anyio.fail_after(60):
        while True:
            for process, spent in before.items():
                if sum(process.cpu_times()[:2]) > spent:
                    return process
            await anyio.sleep(0.005)
    raise AssertionError


@cache
def slow_picture() -> bytes:
    """One that keeps a process busy for more than a second: each cap takes several encodes."""
    return pictures.jpeg(pictures.noise(4000, 3000))


async def test_pictures_render_side_by_side_and_none_is_mixed_up() -> None:
    outcomes = Outcomes(await warm_pool(2))
    sizes = {(200 + 10 * index, 100) for index in range(8)}
    async with anyio.create_task_group() as tasks:
        for size in sizes:
            tasks.start_soon(outcomes.render, pictures.jpeg(pictures.corners(*size)))
    assert {(made.width, made.height) for made in outcomes.made} == sizes
    assert len(image_processes()) <= 2


async def test_warming_starts_every_process_and_they_end_with_their_pool() -> None:
    before = image_processes()
    pool = await warm_pool(2)
    assert len(image_processes() - before) == 2
    del pool
    assert image_processes() == before


async def test_an_error_comes_out_of_the_process_with_its_facts() -> None:
    pool = await warm_pool(limits=Limits(max_pixels=1000))
    with pytest.raises(TooManyPixels) as caught:
        await pool.render(pictures.jpeg(), content_type="image/jpeg")
    assert (caught.value.pixels, caught.value.limit) == (240 * 160, 1000)
    with pytest.raises(ContentTypeMismatch) as mismatch:
        await pool.render(pictures.png(), content_type="image/jpeg")
    assert (mismatch.value.announced, mismatch.value.actual) == ("image/jpeg", "image/png")
    with pytest.raises(NotAnImage):
        await pool.render(b"GIF89a", content_type="image/jpeg")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
async def test_a_crash_costs_its_own_picture_only(how: signal.Signals) -> None:
    before = image_processes()
    pool = await warm_pool(2)
    workers = image_processes() - before
    outcomes = Outcomes(pool)
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(outcomes.render, slow_picture())
        (await busy_process(workers)).send_signal(how)
    assert [type(error) for error in outcomes.failures] == [RendererCrashed]
    assert len(outcomes.made) == 1
    for _ in range(3):
        await pool.render(pictures.jpeg(), content_type="image/jpeg")
    assert len(image_processes() - before) == 2


async def test_a_process_that_crashed_is_replaced_although_another_one_is_idle() -> None:
    before = image_processes()
    pool = await warm_pool(2)
    workers = image_processes() - before
    outcomes = Outcomes(pool)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outcomes.render, slow_picture())
        (await busy_process(workers)).kill()
    assert [type(error) for error in outcomes.failures] == [RendererCrashed]
    assert len(image_processes() - before) == 2


async def test_a_process_that_died_while_it_was_idle_costs_one_picture_at_most() -> None:
    before = image_processes()
    pool = await warm_pool()
    for process in image_processes() - before:
        process.kill()
        process.wait(60)
    outcomes = Outcomes(pool)
    for _ in range(2):
        await outcomes.render(pictures.jpeg())
    assert len(outcomes.made) >= 1
    assert all(isinstance(error, RendererCrashed) for error in outcomes.failures)


async def test_a_process_that_hangs_is_replaced() -> None:
    before = image_processes()
    pool = await warm_pool(limits=Limits(deadline_seconds=1.0, overtime_seconds=0.2))
    (hung,) = image_processes() - before
    hung.suspend()
    with pytest.raises(RenderTimedOut) as caught:
        await pool.render(pictures.jpeg(), content_type="image/jpeg")
    assert caught.value.seconds == 1.0
    await pool.render(pictures.jpeg(), content_type="image/jpeg")
    assert not hung.is_running() or hung.status() == psutil.STATUS_ZOMBIE
    assert len(image_processes() - before) == 1


async def test_a_picture_that_takes_too_long_ends_in_its_own_process() -> None:
    before = image_processes()
    # The pool does not kill it, however slow this machine is.
    pool = await warm_pool(limits=Limits(deadline_seconds=0.05, overtime_seconds=60))
    workers = image_processes() - before
    with pytest.raises(RenderTimedOut):
        await pool.render(slow_picture(), content_type="image/jpeg")
    assert image_processes() - before == workers


async def test_a_caller_that_gives_up_leaves_the_pool_whole() -> None:
    pool = await warm_pool()
    with anyio.move_on_after(0.1) as scope:
        await pool.render(slow_picture(), content_type="image/jpeg")
    assert scope.cancelled_caught
    await pool.render(pictures.jpeg(), content_type="image/jpeg")


@pytest.mark.parametrize(
    "kind", ["square progressive 4:4:4 JPEG", "16-bit interlaced PNG", "lossless WebP"]
)
async def test_too_little_memory_is_distinguished_from_a_damaged_photo(kind: str) -> None:
    # As much as a process needs for the photo of a phone, and no more.
    pool = await warm_pool(limits=Limits(address_space_bytes=560 * MIB))
    content = made_once(COSTLY[kind])
    # Some parts say so, others abort their process: neither calls the photo damaged.
    with pytest.raises((OutOfMemory, RendererCrashed)):
        await pool.render(content, content_type=COSTLY[kind].content_type)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("vips_tracked: out of memory -- size == 171MB", OutOfMemory),
        ("VipsJpeg: Insufficient memory (case 4)", OutOfMemory),
        ("glib: Error creating thread: Resource temporarily unavailable", OutOfMemory),
        ("Memory allocation error: Allocating 5000000 bytes failed", OutOfMemory),
        ("resize: something else", UnexpectedFailure),
    ],
)
def test_an_error_of_libvips_while_encoding_never_leaves_the_process(
    monkeypatch: pytest.MonkeyPatch, words: str, expected: type[TranscoderError]
) -> None:
    def fail(*_: object) -> None:
        raise pyvips.Error(words)

    # This is not an image process: it must not give up what the other tests need.
    monkeypatch.setattr(sandbox, "limit_cpu", lambda _: None)
    monkeypatch.setattr(sandbox, "give_way", lambda: None)
    monkeypatch.setattr(pipeline, "encode", fail)
    with pytest.raises(expected):
        renderer.render_in_sandbox(pictures.jpeg(), "image/jpeg", Limits())


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), BaseException("a bug")])
def test_whatever_breaks_in_an_image_process_is_reported_as_our_fault(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def break_down(*_: object) -> None:
        raise error

    monkeypatch.setattr(sandbox, "limit_cpu", lambda _: None)
    monkeypatch.setattr(sandbox, "give_way", lambda: None)
    monkeypatch.setattr(pipeline, "encode", break_down)
    with pytest.raises(UnexpectedFailure, match="a bug") as caught:
        renderer.render_in_sandbox(pictures.jpeg(), "image/jpeg", Limits())
    assert "break_down" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    "module", ["transcoder.processes.pool", "transcoder.processes.renderer", "transcoder.worker"]
)
def test_libvips_is_loaded_in_image_processes_only(module: str) -> None:
    code = f"import sys, {module}; sys.exit('pyvips' in sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


async def test_every_intact_photo_is_rendered_within_its_caps(photos: Path) -> None:
    pool = await warm_pool()
    caps = {recipe.variant: recipe for recipe in RECIPES}
    for name, size in PHOTOS.items():
        content = (photos / name).read_bytes()
        content_type = sniff(content[:SNIFF_BYTES])
        assert content_type
        made = await pool.render(content, content_type=content_type)
        assert (made.width, made.height) == size, name
        for variant in made.variants:
            cap = caps[variant.name]
            assert len(variant.content) <= cap.max_bytes
            assert variant.width <= min(cap.max_width, size[0])
            assert variant.height <= min(cap.max_height, size[1])
            assert {marker for marker, _ in pictures.segments(variant.content)} <= PIXELS_ONLY
            assert (variant.width > variant.height) == (size[0] > size[1])


async def test_a_damaged_photo_is_corrupt(photos: Path) -> None:
    pool = await warm_pool()
    content = (photos / "damaged-must-fail.jpg").read_bytes()
    with pytest.raises(CorruptImage):
        await pool.render(content, content_type="image/jpeg")
