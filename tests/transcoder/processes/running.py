"""The image processes of this process that run."""

import psutil


def image_processes() -> set[psutil.Process]:
    """Those that a pool of this process started."""
    return {child for child in psutil.Process().children() if is_image_process(child)}


def is_image_process(process: psutil.Process) -> bool:
    try:
        return "transcoder.processes" in process.cmdline()
    except psutil.NoSuchProcess:
        # It has died, and the pool is about to notice.
        return False
