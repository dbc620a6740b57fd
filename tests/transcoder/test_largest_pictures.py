"""The largest legal pictures: a sandboxed image process has enough of everything for them."""

import sys
from typing import Final

import psutil
import pytest
import pyvips

from domain.formats import ContentType
from domain.recipes import MAX_PIXELS
from tests.transcoder import pictures
from transcoder.pool import RenderPool
from transcoder.rendering import MIB, Limits

pytestmark = pytest.mark.anyio

WIDTH, HEIGHT = 8160, 6120
MAX_UPLOAD_BYTES: Final = 50_000_000
COSTLY: Final[dict[str, tuple[ContentType, dict[str, object]]]] = {
    "progressive 4:4:4 JPEG": ("image/jpeg", {"interlace": True, "subsample_mode": "off"}),
    "16-bit interlaced PNG": ("image/png", {"interlace": True, "bitdepth": 16, "compression": 1}),
    "lossy WebP": ("image/webp", {"effort": 0}),
    "lossless WebP": ("image/webp", {"effort": 0, "lossless": True}),
}


def largest(kind: str) -> bytes:
    """A smooth picture of almost 50 megapixels, with alpha where the kind has it."""
    content_type, options = COSTLY[kind]
    across = pyvips.Image.xyz(WIDTH, HEIGHT)[0] * (255 / WIDTH)
    picture = across.bandjoin([across.flip("horizontal"), across])
    picture = picture if content_type == "image/jpeg" else picture.bandjoin(200)
    picture = picture.cast("uchar").copy(interpretation="srgb")
    if content_type == "image/png":
        picture = (picture.cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    content: bytes = picture.write_to_buffer(content_type.replace("image/", "."), **options)
    return content


@pytest.mark.parametrize("kind", COSTLY)
async def test_a_process_renders_one_largest_picture_after_the_other(kind: str) -> None:
    assert 0.99 * MAX_PIXELS < WIDTH * HEIGHT <= MAX_PIXELS
    content, (content_type, _) = largest(kind), COSTLY[kind]
    assert len(content) <= MAX_UPLOAD_BYTES
    pool = RenderPool(size=1, limits=Limits())
    await pool.warm()
    # Twice: what the first one leaves reserved must not be missing for the second.
    for _ in range(2):
        made = await pool.render(content, content_type=content_type)
        assert (made.width, made.height) == (WIDTH, HEIGHT)
        assert {variant.width for variant in made.variants} == {4000, 600, 150}


@pytest.mark.skipif(sys.platform != "linux", reason="only there is address space limited like this")
async def test_a_process_keeps_almost_no_address_space_from_one_picture_to_the_next() -> None:
    before = set(psutil.Process().children())
    pool = RenderPool(size=1, limits=Limits())
    await pool.warm()
    (process,) = set(psutil.Process().children()) - before
    warm = process.memory_info().vms
    for _ in range(3):
        await pool.render(pictures.jpeg(pictures.noise(1600, 1200)), content_type="image/jpeg")
    # Some 55 MiB; 290 and more where each thread has reserved its own.
    assert process.memory_info().vms - warm < 150 * MIB
