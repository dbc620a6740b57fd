"""Failure: what an error of an image library means for the picture that it met."""

from typing import Final

from transcoder.errors import CorruptImage, OutOfMemory, TranscoderError, UnexpectedFailure

# There is no error code for it: the words of libvips, libjpeg and libheif, and those of glib when
# no thread can start.
_OUT_OF_MEMORY: Final = (
    "out of memory",
    "insufficient memory",
    "memory allocation error",
    "error creating thread",
)


def failure_of(error: Exception) -> TranscoderError:
    """The error to raise instead: the pixels are damaged, unless memory ran out.

    The difference matters: a damaged photo is refused for good, the other is tried once more.
    """
    return OutOfMemory() if _lacks_memory(error) else CorruptImage(reason=str(error))


def trouble_of(error: Exception) -> TranscoderError:
    """The same for an error after decoding: then the pixels are good and the fault is ours."""
    return OutOfMemory() if _lacks_memory(error) else UnexpectedFailure(str(error))


def _lacks_memory(error: Exception) -> bool:
    reason = str(error).lower()
    return any(words in reason for words in _OUT_OF_MEMORY)
