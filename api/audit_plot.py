"""The plot: a histogram of seconds as an SVG that needs no library to draw and none to show."""

from collections.abc import Sequence
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 300
MARGIN: Final = 40
BARS: Final = 60


def draw_histogram(seconds: Sequence[float], *, promised: Sequence[float]) -> str:
    """Posts by the time they took, with a line at each promise; the last bar holds all beyond it.

    The axis ends at 1.2 times the last promise.
    """
    end = max(promised) * 1.2
    counts = _counts(seconds, end=end)
    drawn = [_bar(index, count, of=max(counts)) for index, count in enumerate(counts)]
    drawn += [_line(limit, end=end) for limit in promised]
    drawn += [_tick(second, end=end) for second in range(int(end) + 1)]
    title = f"{len(seconds):,} posts by seconds from complete to published"
    return _SVG.format(width=WIDTH, height=HEIGHT, title=title, drawn="\n".join(drawn))


def _counts(seconds: Sequence[float], *, end: float) -> list[int]:
    counts = [0] * BARS
    for each in seconds:
        counts[max(0, min(int(each / end * BARS), BARS - 1))] += 1
    return counts


def _bar(index: int, count: int, *, of: int) -> str:
    wide = (WIDTH - 2 * MARGIN) / BARS
    high = (HEIGHT - 2 * MARGIN) * count / (of or 1)
    x, y = MARGIN + index * wide, HEIGHT - MARGIN - high
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide - 1:.1f}" height="{high:.1f}" fill="#3b6ea5">'
        f"<title>{count:,}</title></rect>"
    )


def _line(limit: float, *, end: float) -> str:
    x = _x(limit, end=end)
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{MARGIN}" y2="{HEIGHT - MARGIN}" stroke="#b03a2e" '
        f'stroke-dasharray="4 3"/>'
        f'<text x="{x + 4:.1f}" y="{MARGIN + 10}">promise {limit:g} s</text>'
    )


def _tick(second: int, *, end: float) -> str:
    x, y = _x(second, end=end), HEIGHT - MARGIN + 16
    return f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{second}</text>'


def _x(second: float, *, end: float) -> float:
    return MARGIN + (WIDTH - 2 * MARGIN) * second / end


_SVG: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" \
font-size="11">
<rect width="100%" height="100%" fill="white"/>
<text x="40" y="22" font-size="14">{title}</text>
{drawn}
</svg>
"""
