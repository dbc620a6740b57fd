"""Contenders: ways to make the same three variants of a photo.

Each has one thread in a process of its own, and gets a file that is in memory and the qualities
that the transcoder has chosen, so that all encode equally much; none of the others keeps a byte
cap. Peers run as their users run them. The codec alone, which is the measure of what is possible,
runs in a process that is prepared like ours.
"""

import io
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pillow_heif
import pyvips
import simplejpeg
from msgspec import Struct
from PIL import Image, ImageCms, ImageOps

from domain.formats import SNIFF_BYTES, ContentType, sniff
from domain.recipes import RECIPES
from transcoder.processes.renderer import prepare
from transcoder.processing.pipeline import render
from transcoder.rendering import Limits, Rendering

PEERS: Final = Path(__file__).parent / "peers"
_LARGEST_FIRST: Final = sorted(RECIPES, key=lambda recipe: recipe.max_width, reverse=True)


class Subject(Struct, frozen=True, kw_only=True):
    """A photo, and what the transcoder makes of it."""

    path: Path
    content: bytes
    content_type: ContentType
    rendering: Rendering

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Side and quality of each variant, the largest first."""
        return [
            (recipe.max_width, variant.quality)
            for recipe, variant in zip(_LARGEST_FIRST, self.rendering.variants, strict=True)
        ]


# Makes the variants once and returns the milliseconds that it took; None for what it cannot take.
Contender: TypeAlias = Callable[[Subject], float | None]


def like_ours() -> None:
    """Prepare a process as the worker prepares its image processes."""
    prepare(Limits())


def as_it_comes() -> None:
    """Prepare nothing but that there is one thread."""
    pyvips.voperation.concurrency_set(1)
    pyvips.cache_set_max(0)


@contextmanager
def in_a_process(contender: Contender, prepared: Callable[[], None]) -> Iterator[Contender]:
    """The contender with everything to itself."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=prepared) as executor:
        yield lambda photo: executor.submit(contender, photo).result()


def subject(path: Path) -> Subject:
    """A photo from a file."""
    content = path.read_bytes()
    content_type = sniff(content[:SNIFF_BYTES])
    assert content_type, path
    rendering = render(content, content_type, Limits())
    return Subject(path=path, content=content, content_type=content_type, rendering=rendering)


def ours(photo: Subject) -> float | None:
    """The transcoder's pipeline, with the search for the quality and all checks."""
    return _timed(lambda: render(photo.content, photo.content_type, Limits()))


def codec(photo: Subject) -> float | None:
    """One full decode and three encodes by libjpeg-turbo: what no pipeline can do without."""
    if photo.content_type != "image/jpeg" or _is_cmyk(photo.content):
        return None
    pictures = [
        (simplejpeg.decode_jpeg(variant.content), variant.quality)
        for variant in photo.rendering.variants
    ]

    def run() -> None:
        simplejpeg.decode_jpeg(photo.content, strict=False)
        for picture, quality in pictures:
            simplejpeg.encode_jpeg(picture, quality=quality, colorsubsampling="420")

    return _timed(run)


def tuned_libvips(photo: Subject) -> float | None:
    """Libvips at its best: see `tuned_libvips_variants`."""
    if photo.content_type == "image/heic":
        return None
    return _timed(lambda: tuned_libvips_variants(photo))


def tuned_libvips_variants(photo: Subject) -> list[bytes]:
    """The large one streamed, the medium one by shrink-on-load, the small one from that."""
    options: dict[str, Any] = {"size": "down", "fail_on": "error"}
    if _has_other_colours(photo.content):
        options |= {"output_profile": "srgb"}
    (large_side, large), (medium_side, medium), (small_side, small) = photo.sizes
    original = pyvips.Image.thumbnail_buffer(photo.content, large_side, **options)
    shown = pyvips.Image.thumbnail_buffer(photo.content, medium_side, **options).copy_memory()
    return [
        _saved(original, large),
        _saved(shown, medium),
        _saved(shown.thumbnail_image(small_side, size="down"), small),
    ]


def pillow(photo: Subject) -> float | None:
    """Pillow with its draft mode, which lets libjpeg shrink while it decodes."""

    def run() -> None:
        for side, quality in photo.sizes:
            picture: Image.Image = Image.open(io.BytesIO(photo.content))
            picture.draft("RGB", (side, side))
            picture = ImageOps.exif_transpose(picture)
            if picture.mode in {"RGBA", "LA", "P"}:
                white = Image.new("RGBA", picture.size, "white")
                picture = Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
            picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
            picture = _in_srgb(picture)
            picture.save(io.BytesIO(), "JPEG", quality=quality, subsampling="4:2:0")

    return _timed(run)


@contextmanager
def sharp() -> Iterator[Contender | None]:
    """Sharp in a process of its own; None where Node or the package is absent."""
    node = shutil.which("node")
    if node is None or not (PEERS / "node_modules" / "sharp").is_dir():
        yield None
        return
    process = subprocess.Popen(
        [node, "sharp.mjs"], cwd=PEERS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    give, take = process.stdin, process.stdout

    def run(photo: Subject) -> float | None:
        if photo.content_type == "image/heic":
            return None
        variants = [{"side": side, "quality": quality} for side, quality in photo.sizes]
        give.write(json.dumps({"path": str(photo.path), "variants": variants}) + "\n")
        give.flush()
        milliseconds: float = json.loads(take.readline())["milliseconds"]
        return milliseconds

    try:
        yield run
    finally:
        give.close()
        process.wait(10)
        take.close()


def _timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - started)


def _saved(image: pyvips.Image, quality: int) -> bytes:
    if image.hasalpha():
        image = image.flatten(background=[255.0])
    content: bytes = image.jpegsave_buffer(
        Q=quality, keep=0, subsample_mode="on", optimize_coding=False
    )
    return content


def _in_srgb(picture: Image.Image) -> Image.Image:
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in {"RGB", "CMYK"} and "sRGB" not in _described(profile):
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(
            picture, opened, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        assert converted
        return converted
    return picture if picture.mode in {"RGB", "L"} else picture.convert("RGB")


def _has_other_colours(content: bytes) -> bool:
    with Image.open(io.BytesIO(content)) as picture:
        profile = picture.info.get("icc_profile")
        return picture.mode == "CMYK" or ("sRGB" not in _described(profile) if profile else False)


def _is_cmyk(content: bytes) -> bool:
    with Image.open(io.BytesIO(content)) as picture:
        return picture.mode == "CMYK"


def _described(profile: bytes) -> str:
    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (OSError, ImageCms.PyCMSError):
        return "sRGB"


pillow_heif.register_heif_opener()


def lossless(photo: Subject, width: int, height: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What a variant of that size should look like: resized by Lanczos and not encoded."""
    image = pyvips.Image.new_from_buffer(photo.content, "").autorot()
    if image.hasalpha():
        image = image.flatten(background=[255.0])
    if _has_other_colours(photo.content):
        image = image.icc_transform("srgb", embedded=True, intent="perceptual", depth=8)
    resized = image.resize(width / image.width, vscale=height / image.height)
    pixels: np.ndarray[Any, np.dtype[np.uint8]] = resized.colourspace("srgb").numpy()
    return pixels
