"""The fingerprint: what decides, besides the recipe, which bytes an encoder makes."""

import mmap
import re
from functools import cache
from importlib.metadata import files, version
from pathlib import Path
from typing import Final

import pyvips

WHEEL: Final = "pyvips-binary"
# The codec says its name in the library that it is built into, and nowhere else.
_CODEC: Final = re.compile(rb"(mozjpeg|libjpeg-turbo) version ([\d.]+)")


@cache
def encoder_fingerprint() -> str:
    """The versions of libvips, of the wheel that brings it, and of its JPEG codec."""
    libvips = ".".join(str(pyvips.version(part)) for part in range(3))
    return f"libvips {libvips}, {WHEEL} {version(WHEEL)}, {_codec()}"


def _codec() -> str:
    for part in files(WHEEL) or []:
        if part.name.startswith("libvips") and ".so" in part.name:
            with (
                Path(part.locate()).open("rb") as library,
                mmap.mmap(library.fileno(), 0, access=mmap.ACCESS_READ) as content,
            ):
                if found := _CODEC.search(content):
                    return f"{found[1].decode()} {found[2].decode()}"
    return "an unnamed JPEG codec"
