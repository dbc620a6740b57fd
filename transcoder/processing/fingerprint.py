"""The fingerprint: what determines, besides the recipe, the bytes that an encoder makes."""

import platform
from functools import cache
from importlib.metadata import version
from typing import Final

import cv2

# Each wheel has its codecs built in, so its version determines theirs.
_WHEELS: Final = (
    "simplejpeg",
    "opencv-python-headless",
    "cykooz-resizer",
    "pyvips-binary",
    "pillow-heif",
)


@cache
def encoder_fingerprint() -> str:
    """The versions of the libraries that decode and encode, and the kind of CPU."""
    return ", ".join([*(f"{wheel} {version(wheel)}" for wheel in _WHEELS), _processor()])


def _processor() -> str:
    """The architecture and the widest vector instructions, which may round differently."""
    usable = [name for name in cv2.getCPUFeaturesLine().split() if not name.endswith("?")]
    return f"{platform.machine()} {usable[-1].strip('*')}"
