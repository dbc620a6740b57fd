"""The renderer: the functions that run in an image process.

They load libvips when they are called, so that only image processes ever load it.
"""

import os

from domain.formats import ContentType
from transcoder.errors import OutOfMemory, TranscoderError
from transcoder.processes.confinement import confine_start
from transcoder.rendering import Limits, Rendering


def prepare(limits: Limits) -> None:
    """Load libvips, enter the sandbox and rehearse, before the process is confined."""
    confine_start()
    _keep_numpy_in_one_thread()
    from transcoder.processes.rehearsal import rehearse  # noqa: PLC0415
    from transcoder.processes.sandbox import enter_sandbox  # noqa: PLC0415
    from transcoder.processing.fingerprint import encoder_fingerprint  # noqa: PLC0415

    encoder_fingerprint()
    enter_sandbox(limits)
    rehearse()


def render_in_sandbox(content: bytes, content_type: ContentType, limits: Limits) -> Rendering:
    """Make all variants of one original, in a process that is prepared.

    See `transcoder.processing.pipeline.render`.

    Raises:
        TranscoderError: the leaf class names what is wrong; an exception that no code foresees is
            an `UnexpectedFailure` with its traceback.
    """
    from transcoder.processes.sandbox import give_way, limit_cpu  # noqa: PLC0415
    from transcoder.processing.failure import unforeseen_failure_of  # noqa: PLC0415
    from transcoder.processing.pipeline import render  # noqa: PLC0415

    give_way()
    limit_cpu(limits)
    try:
        return render(content, content_type, limits)
    except TranscoderError:
        raise
    except MemoryError as error:
        raise OutOfMemory from error
    except BaseException as error:
        raise unforeseen_failure_of(error) from error


def _keep_numpy_in_one_thread() -> None:
    # NumPy reads it when it is loaded. Its BLAS would start a thread per core, each reserving part
    # of the limited address space, to multiply 3 × 3 matrices.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
