"""The fingerprint: what decides, besides the recipe, which bytes an encoder makes."""

import platform
from functools import cache
from importlib.metadata import version
from typing import Final

import cv2

# Each wheel brings its codecs, built in: its version names them all.
_WHEELS: Final = ("simplejpeg", "opencv-python-headless", "pyvips-binary", "pillow-heif")


@cache
def encoder_fingerprint() -> str:
    """The versions of the libraries that make pixels and bytes, and the kind of processor."""
    return ", ".join([*(f"{wheel} {version(wheel)}" for wheel in _WHEELS), _processor()])


def _processor() -> str:
    """Its kind, and the widest vectors it has: they are used, and may round differently."""
    usable = [name for name in cv2.getCPUFeaturesLine().split() if not name.endswith("?")]
    return f"{platform.machine()} {usable[-1].strip('*')}"
