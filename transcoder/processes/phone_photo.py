"""A phone's photo: a 12-megapixel JPEG, taken upright, that costs what a real one costs."""

from typing import Final

import pyvips

WIDTH, HEIGHT = 4032, 3024
_UPRIGHT_PHONE: Final = 6
# Drawn once and repeated, because noise for the whole photo takes longer than rendering it.
_TILE: Final = 504
_CLOUDS: Final = (252, 168, 126)


def phone_photo(*, grain: float, profile: str = "none") -> bytes:
    """Draw coloured clouds and save them as a JPEG.

    Args:
        grain: the standard deviation of its noise, of 255; the file grows with it.
        profile: the name of one of libvips' colour profiles, or `none`.
    """
    red, green, blue = (
        pyvips.Image.perlin(_TILE, _TILE, cell_size=cell, seed=seed) * 70 + 128
        for seed, cell in enumerate(_CLOUDS)
    )
    noise = pyvips.Image.gaussnoise(_TILE, _TILE, sigma=grain, seed=len(_CLOUDS))
    tile = (red.bandjoin([green, blue]) + noise).cast("uchar").copy(interpretation="srgb")
    photo = tile.copy_memory().replicate(WIDTH // _TILE, HEIGHT // _TILE)
    photo.set_type(pyvips.GValue.gint_type, "orientation", _UPRIGHT_PHONE)
    content: bytes = photo.jpegsave_buffer(Q=92, profile=profile)
    return content
