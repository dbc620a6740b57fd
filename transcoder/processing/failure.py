"""Failures: map the errors of image libraries to ours."""

from typing import Final

from transcoder.errors import CorruptImage, OutOfMemory, TranscoderError, UnexpectedFailure

# There is no error code for it. These are the messages of libvips, libjpeg and libheif, and of glib
# when no thread can start.
_OUT_OF_MEMORY: Final = (
    "out of memory",
    "insufficient memory",
    "memory allocation error",
    "error creating thread",
)


def failure_of(error: Exception) -> TranscoderError:
    """Map an error while decoding: the pixels are damaged, unless memory ran out.

    A damaged photo fails permanently; when memory runs out, the job is retried.
    """
    return OutOfMemory() if _lacks_memory(error) else CorruptImage(reason=str(error))


def failure_after_decoding(error: Exception) -> TranscoderError:
    """Map an error after decoding: the pixels are good, so the fault is ours."""
    return OutOfMemory() if _lacks_memory(error) else UnexpectedFailure(str(error))


def _lacks_memory(error: Exception) -> bool:
    reason = str(error).lower()
    return any(words in reason for words in _OUT_OF_MEMORY)
