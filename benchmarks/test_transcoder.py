"""The image transcoder against its peers: the same variants of the same photos, side by side.

Ratios are medians of interleaved rounds in one run: absolute times are the machine's, not ours.
"""

import io
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any, Final

import anyio
import numpy as np
import psutil
import pytest
import simplejpeg
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture
from ssimulacra2 import compute_ssimulacra2

from benchmarks import contenders
from benchmarks.contenders import Contender, Subject
from benchmarks.corpus import corpus, twelve_megapixels
from domain.formats import SNIFF_BYTES, sniff
from tests.transcoder.processing.similarity import ssim
from transcoder.processes.pool import RenderPool
from transcoder.rendering import MIB, Limits

ROUNDS: Final = 7
# Our time over that of each: what the geometric mean over the corpus may be.
MOST: Final = {"sharp": 0.5, "Pillow": 0.33, "codec": 1.7}
MOST_OF_SHARP_FOR_ANY_PHOTO: Final = 0.8
# The same code measured 1.52 to 1.88 of the codec and 0.27 to 0.34 of Pillow on machines of one
# kind: a gate that runs on any machine allows for that, `just bench-transcoder` does not.
MARGIN: Final = float(os.environ.get("NOVA_GATE_MARGIN", "1"))
# As far as rounding goes: what people could see starts at a hundred times as much.
SAME_SSIM: Final = 0.001
SAME_SCORE: Final = 0.3
TWO_WORKERS: Final = 1.8
MOST_MEMORY: Final = 250 * MIB
PHOTOS_IN_A_ROW: Final = 500


@pytest.fixture(scope="module")
def is_smoke(request: pytest.FixtureRequest) -> bool:
    """Whether this run only has to show that the benchmark runs."""
    return not request.config.getoption("--benchmark-enable")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def peers() -> Iterator[dict[str, Contender]]:
    """Everyone that can run here by name, ourselves first."""
    with ExitStack() as processes:
        found = {
            name: processes.enter_context(contenders.in_a_process(contender, prepared))
            for name, contender, prepared in (
                ("ours", contenders.ours, contenders.like_ours),
                ("codec", contenders.codec, contenders.like_ours),
                ("libvips", contenders.tuned_libvips, contenders.as_it_comes),
                ("Pillow", contenders.pillow, contenders.as_it_comes),
            )
        }
        if sharp := processes.enter_context(contenders.sharp()):
            found["sharp"] = sharp
        else:
            print("\nsharp is left out: no Node here, or no benchmarks/peers/node_modules")
        yield found


def test_we_are_faster_than_every_peer_and_not_far_from_the_codec(
    photos: list[Path],
    peers: dict[str, Contender],
    is_smoke: bool,
    benchmark: BenchmarkFixture,
) -> None:
    measure: Any = benchmark.pedantic  # published without type hints
    ratios: dict[str, list[float]] = measure(
        _ratios,
        args=(photos[:2] if is_smoke else photos, peers),
        kwargs={"rounds": 1 if is_smoke else ROUNDS},
    )
    means = {name: geometric_mean(all_) for name, all_ in ratios.items() if all_}
    print(f"{'geometric mean':37}" + "".join(f"{mean:11.2f}" for mean in means.values()))
    benchmark.extra_info["our_time_over_theirs"] = means
    if is_smoke:
        return
    assert {name for name, most in MOST.items() if means.get(name, 0) > most * MARGIN} == set()
    assert max(ratios.get("sharp", [0])) <= MOST_OF_SHARP_FOR_ANY_PHOTO * MARGIN


def test_our_variants_look_as_good_as_those_of_tuned_libvips(
    photos: list[Path],
    is_smoke: bool,
) -> None:
    differences: dict[str, list[float]] = {}
    print(f"\n{'SSIM against lossless':28}{'original':>19}{'medium':>19}{'thumbnail':>19}")
    for path in photos[:2] if is_smoke else photos:
        photo = contenders.subject(path)
        if photo.content_type == "image/heic":
            continue
        line = f"{path.name[:27]:28}"
        theirs = contenders.tuned_libvips_variants(photo)
        for variant, other in zip(photo.rendering.variants, theirs, strict=True):
            mine = _similarity(photo, variant.content)
            differences.setdefault(variant.name, []).append(mine - _similarity(photo, other))
            line += f"{mine:10.4f}{differences[variant.name][-1]:+9.4f}"
        print(line)
    means = {name: float(np.mean(all_)) for name, all_ in differences.items()}
    print(f"{'mean difference':28}" + "".join(f"{mean:+19.4f}" for mean in means.values()))
    assert is_smoke or min(means.values()) >= -SAME_SSIM


def test_our_medium_variants_score_as_high_as_those_of_tuned_libvips(
    photos: list[Path],
    is_smoke: bool,
    tmp_path: Path,
) -> None:
    # Not the thumbnails: of so few pixels, it gives any JPEG anything between -60 and 80.
    differences: list[float] = []
    print(f"\n{'SSIMULACRA2':28}{'medium':>19}")
    for path in photos[:2] if is_smoke else photos:
        photo = contenders.subject(path)
        if photo.content_type == "image/heic":
            continue
        _, ours, _ = photo.rendering.variants
        _, theirs, _ = contenders.tuned_libvips_variants(photo)
        mine = _score(photo, ours.content, tmp_path)
        differences.append(mine - _score(photo, theirs, tmp_path))
        print(f"{path.name[:27]:28}{mine:10.1f}{differences[-1]:+9.1f}")
    print(f"{'mean difference':28}{np.mean(differences):+19.1f}")
    assert is_smoke or np.mean(differences) >= -SAME_SCORE


@pytest.mark.anyio
async def test_two_workers_render_almost_twice_as_much_and_none_grows(
    photos: list[Path],
    is_smoke: bool,
) -> None:
    # libheif takes both cores for one photo: two workers cannot have twice as many.
    contents = [path.read_bytes() for path in twelve_megapixels(photos) if path.suffix != ".heic"]
    others = set(psutil.Process().children())
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(1 if is_smoke else 3):
        for workers, measured in rates.items():
            pool = RenderPool(size=workers, limits=Limits())
            measured.append(await _rate(pool, contents, 4 if is_smoke else 40))
    gain = median(rates[2]) / median(rates[1])
    print(
        f"\n12-megapixel JPEGs per second: one worker {median(rates[1]):.1f}, two workers"
        f" {median(rates[2]):.1f}, which is {gain:.2f} times as many ({os.cpu_count()} cores)"
    )
    contents = [path.read_bytes() for path in twelve_megapixels(photos)]
    pool = RenderPool(size=1, limits=Limits())
    peaks = []
    # Of the first 20 alone, the peak was once 18 MiB below the next ones.
    counts = (40, 20 if is_smoke else PHOTOS_IN_A_ROW - 40)
    for count in counts:
        await _rate(pool, contents, count)
        peaks.append(max(_peak_bytes(process) for process in _new(others)))
    print(
        f"peak memory of a worker: {peaks[0] / MIB:.0f} MiB after {counts[0]} photos, "
        f"{peaks[1] / MIB:.0f} MiB after {sum(counts)}"
    )
    assert is_smoke or gain >= TWO_WORKERS
    assert is_smoke or peaks[1] <= MOST_MEMORY
    assert peaks[1] <= peaks[0] + 16 * MIB


def _similarity(photo: Subject, content: bytes) -> float:
    """Of a variant to what it should look like."""
    picture = simplejpeg.decode_jpeg(content)
    return ssim(picture, contenders.lossless(photo, picture.shape[1], picture.shape[0]))


def _score(photo: Subject, content: bytes, folder: Path) -> float:
    """The same by SSIMULACRA2, which compares files; 100 is no difference."""
    width, height = Image.open(io.BytesIO(content)).size
    wanted, made = folder / "wanted.png", folder / "made.jpg"
    Image.fromarray(contenders.lossless(photo, width, height)).save(wanted)
    made.write_bytes(content)
    score: float = compute_ssimulacra2(str(wanted), str(made))
    return score


def _ratios(
    photos: list[Path], peers: dict[str, Contender], *, rounds: int
) -> dict[str, list[float]]:
    """Our time over that of each peer, photo by photo; printed as a table on the way."""
    ratios: dict[str, list[float]] = {name: [] for name in peers if name != "ours"}
    print(f"\n{'photo':28}{'ours ms':>9}" + "".join(f"{f'/ {name}':>11}" for name in ratios))
    for path in photos:
        spent = _interleaved(contenders.subject(path), peers, rounds=rounds)
        line = f"{path.name[:27]:28}{spent['ours']:9.1f}"
        for name in ratios:
            ratios[name] += [spent["ours"] / spent[name]] if name in spent else []
            line += f"{ratios[name][-1]:11.2f}" if name in spent else f"{'–':>11}"
        print(line)
    return ratios


def _interleaved(photo: Subject, all_: dict[str, Contender], *, rounds: int) -> dict[str, float]:
    """The median milliseconds of each that can take this photo."""
    spent: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, contender in all_.items():
            milliseconds = contender(photo)
            if milliseconds is not None:
                spent.setdefault(name, []).append(milliseconds)
    return {name: median(measured) for name, measured in spent.items()}


async def _rate(pool: RenderPool, contents: list[bytes], count: int) -> float:
    """Photos per second when the pool always has one more to do than it has processes."""
    await pool.warm()
    started = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(_render, pool, contents[number % len(contents)])
    return count / (time.perf_counter() - started)


async def _render(pool: RenderPool, content: bytes) -> None:
    content_type = sniff(content[:SNIFF_BYTES])
    assert content_type
    await pool.render(content, content_type=content_type)


def _new(others: set[psutil.Process]) -> set[psutil.Process]:
    return set(psutil.Process().children()) - others


def _peak_bytes(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
