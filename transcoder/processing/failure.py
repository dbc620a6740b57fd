"""Failures: map the errors of image libraries to ours."""

from typing import Final

from transcoder.errors import (
    CorruptImage,
    OutOfMemory,
    TooComplex,
    TranscoderError,
    UnexpectedFailure,
)

# There is no error code for it. These are the messages of libvips, libjpeg and libheif, and of glib
# when no thread can start.
_OUT_OF_MEMORY: Final = (
    "out of memory",
    "insufficient memory",
    "memory allocation error",
    "error creating thread",
)
# What libheif says of headers that ask for too much, after the words for a lack of memory.
_BEYOND_LIMITS: Final = "security limit exceeded"


def failure_of(error: Exception) -> TranscoderError:
    """Map an error while decoding: the pixels are damaged, unless memory ran out.

    A damaged photo fails permanently; when memory runs out, the job is retried.
    """
    if _BEYOND_LIMITS in str(error).lower():
        return TooComplex(reason=str(error))
    return OutOfMemory() if _lacks_memory(error) else CorruptImage(reason=str(error))


def unforeseen_failure_of(error: BaseException) -> TranscoderError:
    """Map any other error, of whatever step or library: the fault is ours."""
    return OutOfMemory() if _lacks_memory(error) else UnexpectedFailure.of(error)


def _lacks_memory(error: BaseException) -> bool:
    reason = str(error).lower()
    return any(words in reason for words in _OUT_OF_MEMORY)
