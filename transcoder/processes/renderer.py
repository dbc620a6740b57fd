"""The renderer: what runs in an image process, and the only way to it.

Nothing here loads libvips until a call arrives, in the process that the call is for.
"""

import os

from domain.formats import ContentType
from transcoder.rendering import Limits, Rendering


def prepare(limits: Limits) -> None:
    """Load libvips and enter the sandbox, before there is a picture whose deadline would wait."""
    _keep_numpy_in_one_thread()
    from transcoder.processes.rehearsal import rehearse  # noqa: PLC0415
    from transcoder.processes.sandbox import enter_sandbox  # noqa: PLC0415
    from transcoder.processing.fingerprint import encoder_fingerprint  # noqa: PLC0415

    encoder_fingerprint()
    enter_sandbox(limits)
    rehearse()


def render(content: bytes, content_type: ContentType, limits: Limits) -> Rendering:
    """Make all variants of one original; see `transcoder.processing.pipeline.render`.

    Raises:
        TranscoderError: the leaf says what is wrong.
    """
    _keep_numpy_in_one_thread()
    from cv2 import error as OpenCvError  # noqa: N812, PLC0415
    from pyvips import Error as LibvipsError  # noqa: PLC0415

    from transcoder.errors import OutOfMemory  # noqa: PLC0415
    from transcoder.processes.sandbox import enter_sandbox, limit_cpu  # noqa: PLC0415
    from transcoder.processing.failure import trouble_of  # noqa: PLC0415
    from transcoder.processing.pipeline import render as render_all  # noqa: PLC0415

    enter_sandbox(limits)
    limit_cpu(limits)
    try:
        return render_all(content, content_type, limits)
    except MemoryError as error:
        raise OutOfMemory from error
    except (LibvipsError, OpenCvError) as error:
        # As it is, it would load its library in the process that unpickles it.
        raise trouble_of(error) from error


def _keep_numpy_in_one_thread() -> None:
    # Read when NumPy is loaded: its algebra, of which we use a 3 × 3 matrix, would start a thread
    # for every core, and each would reserve some of the limited address space.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
