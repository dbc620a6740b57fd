"""CPU of an image process: what a picture costs by its type and structure, beside the forecast.

The pictures are smooth, so their files are tiny: nothing costs more CPU for the bytes sent.
"""

import time
from typing import Final

import cv2
import pyvips

from domain.recipes import MEGAPIXEL
from tests.transcoder.processes.largest_pictures import (
    COSTLIEST,
    COSTLY,
    OTHERS,
    TOO_COSTLY,
    Kind,
)
from transcoder.processing.limits.effort import cpu_seconds
from transcoder.processing.load import load
from transcoder.processing.pipeline import render
from transcoder.rendering import Limits

KINDS: Final = COSTLY | TOO_COSTLY | COSTLIEST | OTHERS
# Sides in pixels: larger than the largest variant, small enough for the costliest structure.
WIDTH, HEIGHT = 6000, 4500
RUNS: Final = 3
# Nothing but the picture ends a measurement.
UNLIMITED: Final = Limits(
    deadline_seconds=600, memory_bytes=1 << 40, cpu_seconds=600, most_cpu_seconds=600
)


def test_the_forecast_of_cpu_is_what_a_picture_costs(*, is_measuring: bool) -> None:
    _use_one_thread()
    kinds = KINDS if is_measuring else {"lossy WebP": KINDS["lossy WebP"]}
    runs = RUNS if is_measuring else 1
    print(
        f"\n{'CPU of smooth pictures':34} {'ms/MP':>7} {'forecast':>9} {'most MP':>8} {'s then':>7}"
    )
    for name, kind in kinds.items():
        content = kind.make(WIDTH, HEIGHT)
        header = load(content, kind.content_type)
        pixels = header.width * header.height
        per_megapixel = min(_seconds(content, kind) for _ in range(runs)) / pixels * MEGAPIXEL
        forecast = cpu_seconds(content, kind.content_type, header) / pixels * MEGAPIXEL
        print(
            f"{name:34} {1000 * per_megapixel:7.1f} {1000 * forecast:9.1f}",
            flush=True,
        )


def _use_one_thread() -> None:
    # As the sandbox does.
    pyvips.voperation.concurrency_set(1)
    pyvips.cache_set_max(0)
    cv2.setNumThreads(1)


def _seconds(content: bytes, kind: Kind) -> float:
    before = time.process_time()
    render(content, kind.content_type, UNLIMITED)
    return time.process_time() - before
