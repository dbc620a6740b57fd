"""Memory of an image process: the largest picture of each kind, under several settings.

The table has the median and the highest peak in MiB, a column for each setting.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import pytest

from benchmarks.image_memory import NO_THP
from tests.transcoder.processes.largest_pictures import (
    COSTLY,
    LARGEST,
    OTHERS,
    TOO_COSTLY,
    Kind,
    largest_accepted,
)
from transcoder.rendering import MIB, PROCESS_BYTES

KINDS: Final = COSTLY | TOO_COSTLY | LARGEST | OTHERS
RUNS: Final = 3
# The second picture meets what the first one left.
TIMES: Final = 2
MARGIN_BYTES: Final = 16 * MIB


class Setting(NamedTuple):
    """What differs from one machine to another."""

    environ: Mapping[str, str] = {}
    options: tuple[str, ...] = ()


SETTINGS: Final = {
    "default": Setting(),
    "8 arenas": Setting({"MALLOC_ARENA_MAX": "8", "MALLOC_TOP_PAD_": str(16 * MIB)}),
    "no huge pages": Setting(options=(NO_THP,)),
    "huge pages": Setting({"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}),
}


@pytest.mark.timeout(4 * 3600)
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel counts the peak only there")
def test_an_image_process_stays_within_its_budget(*, is_measuring: bool, tmp_path: Path) -> None:
    kinds = KINDS if is_measuring else {name: KINDS[name] for name in ("HEIC",)}
    runs = RUNS if is_measuring else 1
    print(f"\n{'peak in MiB, median and most':36}", *(f"{name:>14}" for name in SETTINGS))
    highest = 0
    for name, kind in kinds.items():
        path = tmp_path / "picture"
        path.write_bytes(largest_accepted(kind))
        largest_accepted.cache_clear()
        peaks = {
            title: [_peak_bytes(path, kind, setting) for _ in range(runs)]
            for title, setting in SETTINGS.items()
        }
        print(f"{name:36}", *(_cell(found) for found in peaks.values()), flush=True)
        highest = max(highest, *(max(found) for found in peaks.values()))
    assert highest <= PROCESS_BYTES - MARGIN_BYTES


def _cell(peaks: list[int]) -> str:
    return f"{f'{median(peaks) / MIB:.0f} {max(peaks) / MIB:.0f}':>14}"


def _peak_bytes(path: Path, kind: Kind, setting: Setting) -> int:
    arguments = [str(path), kind.content_type, str(TIMES), *setting.options]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.image_memory", *arguments],
        env={**os.environ, **setting.environ},
        capture_output=True,
        check=True,
        text=True,
    )
    return int(done.stdout)
