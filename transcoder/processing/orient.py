"""Orient: apply the EXIF orientation to the pixels."""

from collections.abc import Callable
from typing import Any, Final

import cv2
import pyvips

from transcoder.processing.picture import Picture

_LEFT_RIGHT, _TOP_BOTTOM = 1, 0
_TURNS: Final[dict[int, Callable[[Picture], Any]]] = {
    2: lambda picture: cv2.flip(picture, _LEFT_RIGHT),
    3: lambda picture: cv2.rotate(picture, cv2.ROTATE_180),
    4: lambda picture: cv2.flip(picture, _TOP_BOTTOM),
    5: cv2.transpose,
    6: lambda picture: cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE),
    7: lambda picture: cv2.rotate(cv2.transpose(picture), cv2.ROTATE_180),
    8: lambda picture: cv2.rotate(picture, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
_LYING: Final = frozenset({5, 6, 7, 8})


def orient(picture: Picture, header: pyvips.Image) -> Picture:
    """Turn a picture upright; numbers other than the eight orientations are ignored."""
    turn = _TURNS.get(_orientation(header))
    return turn(picture) if turn else picture


def upright_size(header: pyvips.Image) -> tuple[int, int]:
    """Width and height in pixels of the whole photo, upright."""
    if _orientation(header) in _LYING:
        return header.height, header.width
    return header.width, header.height


def _orientation(header: pyvips.Image) -> int:
    orientation = header.get("orientation") if header.get_typeof("orientation") else 1
    return orientation if isinstance(orientation, int) else 1
