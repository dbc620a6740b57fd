"""The corpus: real photos where they are, and pictures that cost what real ones cost."""

import io
from pathlib import Path
from typing import Final

import pyvips
from PIL import Image

from transcoder.sample import write_sample

SHARED_PHOTOS: Final = Path(__file__).parents[2] / "shared" / "photos"
_ORIENTATION: Final = 0x0112
_TWELVE_MEGAPIXELS: Final = 12_000_000


def corpus(folder: Path) -> list[Path]:
    """All photos to measure with; those that have to be made are put into `folder`."""
    real = [path for path in sorted(SHARED_PHOTOS.glob("*.*")) if "must-fail" not in path.name]
    return [*real, *_made(folder)]


def twelve_megapixels(paths: list[Path]) -> list[Path]:
    """The everyday ones: what phones make."""
    return [path for path in paths if _pixels(path) > _TWELVE_MEGAPIXELS and _pixels(path) < 2e7]


def _made(folder: Path) -> list[Path]:
    """A phone's portrait in Display P3, the demo's sample, and two of larger cameras."""
    sample = folder / "made-12-sample.jpg"
    write_sample(sample)
    wide = pyvips.Operation.call("profile_load", "p3")
    phone = folder / "made-12-phone-p3.jpg"
    with Image.open(sample) as picture:
        exif = Image.Exif()
        exif[_ORIENTATION] = 6
        picture.save(phone, quality=92, exif=exif, icc_profile=bytes(wide))
        made = [sample, phone]
        for megapixels, size in ((24, (6000, 4000)), (48, (8064, 6048))):
            larger = folder / f"made-{megapixels}-camera.jpg"
            picture.resize(size, Image.Resampling.BICUBIC).save(larger, quality=90)
            made.append(larger)
    return made


def _pixels(path: Path) -> int:
    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        return picture.width * picture.height
