"""An image process that dies at an exact step of each picture that is marked as fatal.

Run as `python -m tests.faults.dying_image_process STEP LIMITS`. The parent marks the pictures: an
image process may not write files, so it cannot count its deaths.
"""

import signal
import sys
from typing import Final

from domain.formats import ContentType
from transcoder.processes import renderer
from transcoder.processes.__main__ import main
from transcoder.rendering import Limits, Rendering

# Bytes after a JPEG's end are ignored.
FATAL: Final = b"this picture is fatal"


def die_at(step: str) -> None:
    """Let this process die when the pipeline reaches this step of a fatal picture."""
    render = renderer.render_in_sandbox

    def render_until(content: bytes, content_type: ContentType, limits: Limits) -> Rendering:
        if content.endswith(FATAL):
            # Loaded by then; before, it would be loaded ahead of the sandbox.
            setattr(sys.modules["transcoder.processing.pipeline"], step, _die)
        return render(content, content_type, limits)

    renderer.render_in_sandbox = render_until


def _die(*_: object) -> None:
    signal.raise_signal(signal.SIGKILL)


if __name__ == "__main__":
    die_at(sys.argv.pop(1))
    main()
