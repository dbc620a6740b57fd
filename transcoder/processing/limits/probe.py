"""Probe: check the header against the limits before any pixel is decoded."""

import pyvips

from transcoder.errors import SideTooLong, TooComplex, TooManyBands, TooManyPixels, TooMuchMemory
from transcoder.rendering import Limits


def check_size(header: pyvips.Image, limits: Limits) -> None:
    """Refuse a picture with more pixels or channels than we decode.

    Raises:
        SideTooLong, TooManyPixels, TooManyBands: which of them it is.
    """
    longer = max(header.width, header.height)
    if longer > limits.max_side:
        raise SideTooLong(side=longer, limit=limits.max_side)
    pixels = header.width * header.height
    if pixels > limits.max_pixels:
        raise TooManyPixels(pixels=pixels, limit=limits.max_pixels)
    if header.bands > limits.max_bands:
        raise TooManyBands(bands=header.bands, limit=limits.max_bands)


def check_memory(needed: int, limits: Limits) -> None:
    """Refuse a picture whose process would need more bytes than it may have.

    Raises:
        TooMuchMemory: it would.
    """
    if needed > limits.memory_bytes:
        raise TooMuchMemory(needed=needed, limit=limits.memory_bytes)


def check_effort(seconds: float, file_size: int, limits: Limits) -> None:
    """Refuse a picture that would cost more CPU seconds than its size in bytes justifies.

    Raises:
        TooComplex: it would.
    """
    most = limits.cpu_seconds_for(file_size)
    if seconds > most:
        raise TooComplex(
            reason=f"rendering needs {seconds:.1f} CPU seconds; the limit is {most:.1f}"
        )
