"""The largest legal pictures: a sandboxed image process has enough of everything for them."""

from typing import Final

import pytest
import pyvips

from domain.formats import ContentType
from domain.recipes import MAX_PIXELS
from transcoder.pool import RenderPool
from transcoder.rendering import Limits

pytestmark = pytest.mark.anyio

WIDTH, HEIGHT = 8160, 6120
OPTIONS: Final[dict[ContentType, dict[str, object]]] = {
    "image/jpeg": {"interlace": True, "subsample_mode": "off"},
    "image/png": {"interlace": True, "bitdepth": 16, "compression": 1},
    "image/webp": {"effort": 0},
}


def largest(content_type: ContentType) -> bytes:
    """A smooth picture of almost 50 megapixels, stored the way that costs the most to decode."""
    across = pyvips.Image.xyz(WIDTH, HEIGHT)[0] * (255 / WIDTH)
    picture = across.bandjoin([across.flip("horizontal"), across])
    if content_type == "image/png":
        picture = (picture * 257).cast("ushort").copy(interpretation="rgb16")
    else:
        picture = picture.cast("uchar").copy(interpretation="srgb")
    suffix = content_type.replace("image/", ".")
    content: bytes = picture.write_to_buffer(suffix, **OPTIONS[content_type])
    return content


@pytest.mark.parametrize("content_type", OPTIONS)
async def test_a_picture_just_within_the_pixel_limit_is_rendered(content_type: ContentType) -> None:
    assert 0.99 * MAX_PIXELS < WIDTH * HEIGHT <= MAX_PIXELS
    pool = RenderPool(size=1, limits=Limits())
    await pool.warm()
    made = await pool.render(largest(content_type), content_type=content_type)
    assert (made.width, made.height) == (WIDTH, HEIGHT)
    assert [variant.width for variant in made.variants] == [4000, 600, 150]
