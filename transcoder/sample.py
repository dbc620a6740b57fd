"""A sample photo: `python -m transcoder.sample FILE` writes a 12-megapixel JPEG like a phone's.

It has the size, the detail and the EXIF orientation of a photo taken upright with a phone, so
that it costs what a real one costs. libvips draws it: run it in a process of its own.
"""

import sys
from pathlib import Path

WIDTH, HEIGHT = 4032, 3024
UPRIGHT_PHONE = 6


def write_sample(path: Path) -> None:
    """Draw coloured clouds with fine grain and save them as a JPEG of about 3 MB."""
    import pyvips  # noqa: PLC0415 - only this process may load libvips

    red, green, blue = (
        pyvips.Image.perlin(WIDTH, HEIGHT, cell_size=cell, seed=seed) * 70 + 128
        for cell, seed in ((700, 1), (450, 2), (300, 3))
    )
    grain = pyvips.Image.gaussnoise(WIDTH, HEIGHT, sigma=4, seed=4)
    clouds = red.bandjoin(green).bandjoin(blue)
    picture = (clouds + grain).cast("uchar").copy(interpretation="srgb")
    picture.set_type(pyvips.GValue.gint_type, "orientation", UPRIGHT_PHONE)
    picture.jpegsave(str(path), Q=92)


if __name__ == "__main__":
    write_sample(Path(sys.argv[1]))
