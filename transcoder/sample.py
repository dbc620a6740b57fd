"""A sample photo: `python -m transcoder.sample FILE` writes a JPEG like a phone's, of about 2 MB.

libvips draws it: run it in a process of its own.
"""

import sys
from pathlib import Path


def write_sample(path: Path) -> None:
    """Write the photo."""
    from transcoder.processes.phone_photo import phone_photo  # noqa: PLC0415 - loads libvips

    path.write_bytes(phone_photo(grain=4))


if __name__ == "__main__":
    write_sample(Path(sys.argv[1]))
