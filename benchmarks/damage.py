"""Damage: how many damaged JPEGs are published, and whether an intact one is refused.

`python -m benchmarks.damage [FOLDER]` damages photos in every way that the tests know,
the same way on every run, and prints a table. Without a folder it takes `../shared/photos`, and
without that the pictures that the project draws.
"""

import io
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageFile

from benchmarks.corpus import SHARED_PHOTOS
from tests.transcoder.processing import references
from tests.transcoder.processing.damage import DAMAGE
from tests.transcoder.processing.odd_jpegs import FLAT, ODDITIES, STRUCTURES, half_flat, on_a_slide
from tests.transcoder.processing.verdicts import WRONG, published, wrong_share

ROUNDS: Final = 24
_MOST_PIXELS: Final = 1_200_000


class Source(NamedTuple):
    """An intact file."""

    name: str
    content: bytes


class Verdict(NamedTuple):
    """What became of a damaged file, and the share of its pixels that are visibly wrong."""

    kind: str
    source: str
    is_published: bool
    wrong: float


def photos(folder: Path) -> list[Source]:
    """The JPEGs of a folder as they are, or else pictures that are drawn."""
    found = sorted(folder.glob("*.jp*g")) if folder.is_dir() else []
    real = [Source(path.stem, path.read_bytes()) for path in found if "must-fail" not in path.name]
    scene = references.scene(1200, 900)
    return real or [
        Source(title, STRUCTURES["4:2:0"](picture))
        for title, picture in (
            ("scene", scene),
            ("half flat", half_flat(scene)),
            ("slide", on_a_slide(scene)),
        )
    ]


def files(sources: list[Source]) -> list[Source]:
    """Every photo as it is, and in every structure that a JPEG may have."""
    return [
        *sources,
        *(
            Source(f"{source.name}, {structure}", encode(_smaller(source.content)))
            for source in sources
            for structure, encode in STRUCTURES.items()
        ),
    ]


def _smaller(content: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    scale = min(1.0, (_MOST_PIXELS / (picture.width * picture.height)) ** 0.5)
    return picture.resize((int(picture.width * scale), int(picture.height * scale)))


def intact(sources: list[Source]) -> Iterator[Source]:
    """Files of every structure, oddity and flatness; none of them lacks a pixel."""
    yield from files(sources)
    picture = _smaller(sources[0].content).resize((400, 304))
    drawn = {name: draw() for name, draw in FLAT.items()}
    drawn |= {"half flat": half_flat(picture), "slide": on_a_slide(picture)}
    for structure, encode in STRUCTURES.items():
        for oddity, change in ODDITIES.items():
            yield Source(f"photo, {structure}, {oddity}", change(encode(picture)))
        for title, flat in drawn.items():
            yield Source(f"{title}, {structure}", encode(flat))


def verdicts(sources: list[Source], rounds: int) -> Iterator[Verdict]:
    """Damage files in every way, each as often as there are rounds."""
    random = Random(14)
    made = files(sources)
    for kind, damage in DAMAGE.items():
        for _ in range(rounds):
            source = random.choice(made)
            content = damage(source.content, random)
            if content != source.content:
                yield _verdict(kind, source, content)


def _verdict(kind: str, source: Source, content: bytes) -> Verdict:
    seen = published(content)
    if seen is not None:
        return Verdict(kind, source.name, seen is not None, wrong_share(seen, _whole(source)))
    return Verdict(
        kind, source.name, seen is not None, wrong_share(_tolerant(content), _expected(source))
    )


@cache
def _whole(source: Source) -> references.Pixels | None:
    return published(source.content)


@cache
def _expected(source: Source) -> references.Pixels | None:
    return _tolerant(source.content)


def _tolerant(content: bytes) -> references.Pixels | None:
    """What a decoder makes of a file that goes on as long as it can."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    except OSError:
        return None


def main() -> None:
    """Print the table: damaged files by kind, then intact ones."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED_PHOTOS
    sources = photos(folder)
    seen = list(verdicts(sources, ROUNDS))
    print("| damage | files | wrong | of these refused | published | harmless | of these refused |")
    print("|---|---|---|---|---|---|---|")
    for kind in (*DAMAGE, "all"):
        print(_row(kind, [each for each in seen if kind in {each.kind, "all"}]))
    whole = list(intact(sources))
    refused = [each.name for each in whole if published(each.content) is None]
    print(f"\n{len(whole)} intact files, {len(refused)} refused", *refused, sep="\n")


def _row(kind: str, seen: list[Verdict]) -> str:
    wrong = [each for each in seen if each.wrong > WRONG]
    harmless = [each for each in seen if each.wrong <= WRONG]
    missed = sum(each.is_published for each in wrong)
    counts = (
        len(seen),
        len(wrong),
        len(wrong) - missed,
        missed,
        len(harmless),
        sum(not each.is_published for each in harmless),
    )
    return f"| {kind} | {' | '.join(map(str, counts))} |"


if __name__ == "__main__":
    main()
