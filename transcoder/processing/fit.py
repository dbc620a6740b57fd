"""Fit: a picture into a box, aspect kept, never enlarged."""

import pyvips


def fit(image: pyvips.Image, *, max_width: int, max_height: int) -> pyvips.Image:
    """The picture within `max_width` × `max_height` pixels, in memory; each side is at least 1."""
    scale = min(max_width / image.width, max_height / image.height)
    if scale >= 1:
        return image
    width = max(1, round(image.width * scale))
    height = max(1, round(image.height * scale))
    return image.resize(width / image.width, vscale=height / image.height).copy_memory()
