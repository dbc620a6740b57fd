"""Compares the libheif of the newest `pi-heif` with the oldest safe one; `just pi-heif` runs it.

`pi-heif` is `pillow-heif` without an encoder, and so without x265 and its GPL.
"""

import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pillow_heif
from packaging.version import Version

# Older ones have a critical flaw in the decoder.
OLDEST_SAFE_LIBHEIF: Final = Version("1.23.4")

_PRINT_VERSIONS: Final = "import pi_heif; print(pi_heif.__version__, pi_heif.libheif_version())"


def is_safe(libheif: str) -> bool:
    """Whether this version of libheif may decode untrusted photos."""
    return Version(libheif) >= OLDEST_SAFE_LIBHEIF


def shipped_libheif() -> str:
    """The version of libheif that decodes photos here."""
    return pillow_heif.libheif_version()


def newest() -> tuple[str, str]:
    """Install the newest `pi-heif` for this moment; return its version and that of its libheif.

    Raises:
        subprocess.CalledProcessError: it cannot be installed, or not be imported.
    """
    with TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        install = [python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "pi-heif"]
        subprocess.run(install, check=True)
        printed = subprocess.run([python, "-c", _PRINT_VERSIONS], check=True, capture_output=True)
    release, libheif = printed.stdout.decode().split()
    return release, libheif


def verdict(release: str, libheif: str) -> str:
    """What to do about this release."""
    found = f"pi-heif {release} brings libheif {libheif}"
    if is_safe(libheif):
        return f"{found}: it has caught up. Replace pillow-heif with it, see docs/licences.md."
    return f"{found}, below {OLDEST_SAFE_LIBHEIF}: keep pillow-heif."


if __name__ == "__main__":
    found = newest()
    print(verdict(*found))  # noqa: T201 - the output of the recipe
    sys.exit(is_safe(found[1]))
