"""A renderer whose image process dies at an exact step of the picture that it is given."""

import os
import signal

from domain.formats import ContentType
from transcoder.processes import renderer
from transcoder.rendering import Limits, Rendering


def render_until(step: str, content: bytes, content_type: ContentType, limits: Limits) -> Rendering:
    """Render like the real one until the pipeline reaches this step; then die.

    An image process may not write files, so the parent counts the deaths.
    """
    # The parent must not load libvips.
    from transcoder.processing import pipeline  # noqa: PLC0415

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(pipeline, step, die)
    return renderer.render_in_sandbox(content, content_type, limits)
