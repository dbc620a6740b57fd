"""Seams: find where a JPEG goes on with wrong pixels, although every code in it is legal.

A wrong bit may change the lightness or the place of all that follows it. Then the picture is torn
along a step: below one row of coded units up to some column, and above it from there on.
"""

from itertools import pairwise
from typing import Final

import cv2
import numpy as np

from transcoder.processing.picture import Picture, is_grey

# Of 255. Less is hardly visible, and a few edges must not outweigh the rest of the row.
_LEAST_JUMP, _MOST_JUMP = 8, 40
# Along the seam, compared with the rest of both rows.
_TIMES_THE_REST: Final = 2.5
_SHARE_OF_JUMPS: Final = 0.7
# Compared with the pixels beside the seam: edges in photos are never as sharp.
_TIMES_BESIDE: Final = 4
# With fewer columns chance makes steps, and a step this close to an edge is none.
_FEWEST_COLUMNS, _FEWEST_ROWS, _EDGE = 32, 3, 3
# More only cost time: the pixels are not in the CPU's cache any more.
_MOST_COLUMNS: Final = 96
# The deviation of what is torn: flat panels of a screenshot may have such a step.
_LEAST_TEXTURE: Final = 4.0


def is_torn(picture: Picture, *, unit_width: int, unit_height: int) -> bool:
    """Whether there is a seam between any two rows of coded units.

    Args:
        picture: as decoded, before it is turned or resized.
        unit_width: of a coded unit, in pixels of the picture.
        unit_height: likewise.
    """
    columns = picture.shape[1] // unit_width
    if columns < _FEWEST_COLUMNS or len(picture) <= _FEWEST_ROWS * unit_height:
        return False
    whole = picture[:, : columns * unit_width]
    columns = min(columns, _MOST_COLUMNS)
    above = _sampled(whole[unit_height - 1 : -1 : unit_height], columns)
    below = _sampled(whole[unit_height::unit_height], columns)
    jumps = np.minimum(_difference(above, below), _MOST_JUMP)
    return any(
        _is_seam(jumps[row : row + 2], above[row : row + 2], column)
        and _is_sharp(_around(whole, (row + 1) * unit_height, columns)[:, column:])
        and _is_sharp(_around(whole, (row + 2) * unit_height, columns)[:, :column])
        for row, column in _steps(jumps)
    )


def _sampled(rows: Picture, columns: int) -> Picture:
    """A pixel or two from each of the columns: reading all pixels takes ten times as long."""
    size = (columns, len(rows))
    return np.asarray(cv2.resize(rows, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _difference(one: Picture, other: Picture) -> Picture:
    """The largest of any channel, because a seam may be one of colour alone."""
    difference = np.asarray(cv2.absdiff(one, other), np.uint8)
    if is_grey(one):
        return difference
    blue, green, red = (np.asarray(channel, np.uint8) for channel in cv2.split(difference))
    return np.maximum(np.maximum(blue, green), red)


def _steps(jumps: Picture) -> list[tuple[int, int]]:
    """For each row, the column where a step to the next row best parts jumps from the rest."""
    sums = np.cumsum(jumps, axis=1, dtype=np.int32)
    # After the column in this row and before it in the next, less the other way round.
    scores = 2 * (sums[1:] - sums[:-1]) + sums[:-1, -1:] - sums[1:, -1:]
    best = scores.argmax(axis=1)
    columns = jumps.shape[1]
    likely = scores[np.arange(len(best)), best] >= _LEAST_JUMP * columns // 2
    return [
        (int(row), int(best[row]) + 1)
        for row in np.flatnonzero(likely)
        if _EDGE <= best[row] + 1 <= columns - _EDGE
    ]


def _is_seam(jumps: Picture, above: Picture, column: int) -> bool:
    """Whether two rows jump along the whole step, and only there."""
    before, after = jumps[1, :column], jumps[0, column:]
    along = np.concatenate([before, after])
    if (along >= _LEAST_JUMP // 2).mean() < _SHARE_OF_JUMPS:
        return False
    least = min(np.median(before), np.median(after))
    rest = max(np.median(jumps[0, :column]), np.median(jumps[1, column:]))
    torn = np.concatenate([above[1, :column], above[0, column:]])
    return bool(
        least >= max(_LEAST_JUMP, rest * _TIMES_THE_REST)
        and torn.std(axis=0).max() >= _LEAST_TEXTURE
    )


def _around(picture: Picture, top: int, columns: int) -> Picture:
    """Two rows above the top of a row of units, and two below."""
    rows = np.minimum(np.arange(top - 2, top + 2), len(picture) - 1)
    return _sampled(picture[rows], columns)


def _is_sharp(rows: Picture) -> bool:
    """Whether pixels differ where units touch, and hardly within the units."""
    above, seam, below = (np.median(_difference(*pair)) for pair in pairwise(rows[:, None]))
    return bool(seam >= _TIMES_BESIDE * max(1.0, above, below))
