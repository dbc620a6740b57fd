"""The peak of one image process: `python -m benchmarks.image_memory FILE TYPE TIMES [--no-thp]`.

Renders the file `TIMES` times in one process of a pool and prints the most memory that process
ever had, in bytes. The allocator's variables are those of the environment.
"""

import ctypes
import sys
from pathlib import Path
from typing import Final, cast

import anyio
import psutil

from domain.formats import ContentType
from transcoder.processes.pool import RenderPool
from transcoder.rendering import Limits

NO_THP: Final = "--no-thp"
_PR_SET_THP_DISABLE: Final = 41


async def _peak_bytes(content: bytes, content_type: ContentType, times: int) -> int:
    # The time is not what is measured, and huge pages or a busy machine may take some.
    pool = RenderPool(size=1, limits=Limits(deadline_seconds=600))
    await pool.warm()
    [process] = psutil.Process().children()
    for _ in range(times):
        await pool.render(content, content_type=content_type)
    status = await anyio.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def main() -> None:
    """Measure one file and print the peak."""
    path, content_type, times, *options = sys.argv[1:]
    if NO_THP in options:
        # Children inherit it.
        assert ctypes.CDLL(None).prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0
    content = Path(path).read_bytes()
    print(anyio.run(_peak_bytes, content, cast("ContentType", content_type), int(times)))


if __name__ == "__main__":
    main()
