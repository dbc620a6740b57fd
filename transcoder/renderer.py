"""The renderer: what runs in an image process, and the only way to it.

Nothing here loads libvips until a call arrives, in the process that the call is for.
"""

from domain.formats import ContentType
from transcoder.rendering import Limits, Rendering


def prepare(limits: Limits) -> None:
    """Load libvips and enter the sandbox, before there is a picture whose deadline would wait."""
    from transcoder.processing import pipeline  # noqa: F401, PLC0415 - loaded before it is needed
    from transcoder.processing.fingerprint import encoder_fingerprint  # noqa: PLC0415
    from transcoder.processing.sandbox import enter_sandbox  # noqa: PLC0415

    encoder_fingerprint()
    enter_sandbox(limits)


def render(content: bytes, content_type: ContentType, limits: Limits) -> Rendering:
    """Make all variants of one original; see `transcoder.processing.pipeline.render`.

    Raises:
        TranscoderError: the leaf says what is wrong.
    """
    from pyvips import Error as LibvipsError  # noqa: PLC0415

    from transcoder.errors import OutOfMemory  # noqa: PLC0415
    from transcoder.processing.failure import trouble_of  # noqa: PLC0415
    from transcoder.processing.pipeline import render as render_all  # noqa: PLC0415
    from transcoder.processing.sandbox import enter_sandbox, limit_cpu  # noqa: PLC0415

    enter_sandbox(limits)
    limit_cpu(limits)
    try:
        return render_all(content, content_type, limits)
    except MemoryError as error:
        raise OutOfMemory from error
    except LibvipsError as error:
        # As it is, it would load libvips in the process that unpickles it.
        raise trouble_of(error) from error
