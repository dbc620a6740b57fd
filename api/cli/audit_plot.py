"""The plot: a histogram of how long posts took, with the promise drawn into it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

BARS: Final = 60


def draw_histogram(seconds: Sequence[float], *, promised: Sequence[float], file: Path) -> None:
    """Draw posts by the time they took into `file`; its last bar holds all that took longer.

    Raises:
        OSError: the file cannot be written.
    """
    end = 1.2 * max(promised)
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.hist([min(each, end) for each in seconds], bins=BARS, range=(0, end), color="#3b6ea5")
    for limit in promised:
        axes.axvline(limit, color="#b03a2e", linestyle="--", label=f"promise: {limit:g} s")
    axes.set_title(f"{len(seconds):,} posts by seconds from complete to published")
    axes.set_xlabel("seconds")
    axes.set_ylabel("posts")
    axes.legend()
    figure.savefig(file)
