"""The image processes of this process that run."""

import psutil


def image_processes() -> set[psutil.Process]:
    """Ours that anyio started: its workers run with its module's file or name."""
    return {child for child in psutil.Process().children() if is_image_process(child)}


def is_image_process(process: psutil.Process) -> bool:
    try:
        return any("to_process" in part for part in process.cmdline())
    except psutil.NoSuchProcess:
        # It has died, and asyncio is about to notice.
        return False
