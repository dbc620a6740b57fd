"""Failure: what an error of libvips means for the picture that it met."""

from typing import Final

import pyvips

from transcoder.errors import CorruptImage, OutOfMemory, TranscoderError, UnexpectedTrouble

# libvips has no error code for it: its own words, libjpeg's, and glib's when no thread can start.
_OUT_OF_MEMORY: Final = ("out of memory", "insufficient memory", "error creating thread")


def failure_of(error: pyvips.Error) -> TranscoderError:
    """The error to raise instead: the pixels are damaged, unless memory ran out.

    The difference matters: a damaged photo is refused for good, the other is tried once more.
    """
    return OutOfMemory() if _lacks_memory(error) else CorruptImage(reason=str(error))


def trouble_of(error: pyvips.Error) -> TranscoderError:
    """The same for an error after decoding: then the pixels are good and the fault is ours."""
    return OutOfMemory() if _lacks_memory(error) else UnexpectedTrouble(str(error))


def _lacks_memory(error: pyvips.Error) -> bool:
    reason = str(error).lower()
    return any(words in reason for words in _OUT_OF_MEMORY)
