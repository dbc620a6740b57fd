"""What can go wrong between an original and its variants.

    TranscoderError
    ├── PermanentFailure              a retry cannot help
    │   ├── NotAnImage                the bytes are in none of the accepted formats
    │   ├── ContentTypeMismatch       they are in another format than was announced
    │   ├── FormatSwitchedOff         they are in a format that is no longer accepted
    │   ├── TooManyPixels             the header declares more pixels than we decode
    │   ├── SideTooLong               one side is longer than we decode
    │   ├── TooManyBands              more colour channels than any photo has
    │   ├── TooMuchMemory             rendering it would need more memory than a process may use
    │   ├── TooComplex                decoding it would cost more than any photo needs
    │   ├── CorruptImage              the pixels cannot be decoded
    │   ├── ChecksumMismatch          the stored bytes are not the announced ones
    │   └── OriginalMissing           there are no stored bytes
    └── RetryableFailure              a retry may help
        ├── ObjectStoreUnavailable    the object store did not answer as it should
        ├── RendererCrashed           the image process died; one retry
        ├── RenderTimedOut            it took too long; one retry
        ├── OutOfMemory               it needed too much memory; one retry
        └── UnexpectedFailure         a bug; the log has the traceback

`code` is for machines and never changes; `message` is for the person who uploaded the photo.
An error leaves an image process as its code and its facts, which are its constructor's arguments.
"""

from collections.abc import Sequence
from traceback import format_exception, format_exception_only
from typing import ClassVar, Final, Self

# Per job and kind of failure; with the pauses between them some four minutes in all.
MAX_ATTEMPTS: Final = 8


class TranscoderError(Exception):
    """Base of the package's errors; `max_attempts` limits the attempts that fail with it."""

    code: ClassVar[str] = "transcoder_error"
    message: ClassVar[str] = "Something went wrong on our side. Please try again later."
    retryable: ClassVar[bool] = False
    max_attempts: ClassVar[int] = 1


def first_failure(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a task group; the others usually have the same cause."""
    first = group.exceptions[0]
    return first_failure(first) if isinstance(first, BaseExceptionGroup) else first


class NoSlotFree(Exception):
    """Bulk work found no free image process because live work uses them all: retry later."""


class PermanentFailure(TranscoderError):
    """A retry cannot help."""


class NotAnImage(PermanentFailure):
    """The bytes are in none of the accepted formats."""

    code = "not_an_image"
    message = "This file is not a photo in a format that we accept. Please upload another one."


class ContentTypeMismatch(PermanentFailure):
    """The bytes are in another format than was announced."""

    code = "content_type_mismatch"
    message = (
        "The app announced another type of photo than this is. "
        "Please save it as a JPEG and upload that one."
    )

    def __init__(self, *, announced: str, actual: str) -> None:
        super().__init__(f"announced as {announced}, is {actual}")
        self.announced = announced
        self.actual = actual


class FormatSwitchedOff(PermanentFailure):
    """The bytes are in a format that is no longer accepted."""

    code = "format_switched_off"
    message = "We do not accept photos of this type at the moment. Please upload it as a JPEG."

    def __init__(self, *, content_type: str) -> None:
        super().__init__(f"{content_type} is switched off")
        self.content_type = content_type


class TooManyPixels(PermanentFailure):
    """The header declares more pixels than we decode."""

    code = "too_many_pixels"
    message = "This photo has too many pixels. Please upload a smaller version of it."

    def __init__(self, *, pixels: int, limit: int) -> None:
        super().__init__(f"{pixels} pixels; the most is {limit}")
        self.pixels = pixels
        self.limit = limit


class SideTooLong(PermanentFailure):
    """One side is longer than we decode, in pixels."""

    code = "side_too_long"
    message = "This photo is too wide or too high. Please upload a smaller version of it."

    def __init__(self, *, side: int, limit: int) -> None:
        super().__init__(f"a side of {side} pixels; the most is {limit}")
        self.side = side
        self.limit = limit


class TooManyBands(PermanentFailure):
    """More colour channels than any photo has."""

    code = "too_many_bands"
    message = "This file is not an ordinary photo. Please upload another one."

    def __init__(self, *, bands: int, limit: int) -> None:
        super().__init__(f"{bands} bands; the most is {limit}")
        self.bands = bands
        self.limit = limit


class TooMuchMemory(PermanentFailure):
    """Rendering it would need more memory than an image process may use, in bytes."""

    code = "too_much_memory"
    message = "This photo is too large for its file type. Please upload a smaller version of it."

    def __init__(self, *, needed: int, limit: int) -> None:
        super().__init__(f"rendering needs {needed} bytes; the limit is {limit}")
        self.needed = needed
        self.limit = limit


class TooComplex(PermanentFailure):
    """Decoding it would cost more than any photo needs; `reason` says what, for logs only."""

    code = "too_complex"
    message = "This file is more complex than a photo needs to be. Please upload it as a JPEG."

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CorruptImage(PermanentFailure):
    """The pixels cannot be decoded; `reason` is the decoder's message, for logs only."""

    code = "corrupt_image"
    message = "This photo is damaged and cannot be shown. Please upload an intact copy."

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ChecksumMismatch(PermanentFailure):
    """The stored bytes are not the announced ones.

    `expected` is their SHA-256 in hex, `actual` that of the stored ones, or their size if it
    differs.
    """

    code = "checksum_mismatch"
    message = "The photo did not arrive as it was sent. Please upload it again."

    def __init__(self, *, expected: str, actual: str) -> None:
        super().__init__(f"expected SHA-256 {expected}, got {actual}")
        self.expected = expected
        self.actual = actual


class OriginalMissing(PermanentFailure):
    """There are no stored bytes under the key."""

    code = "original_missing"
    message = "The photo is no longer there. Please upload it again."

    def __init__(self, *, key: str) -> None:
        super().__init__(f"nothing is stored under {key}")
        self.key = key


class RetryableFailure(TranscoderError):
    """A retry may help."""

    retryable = True
    max_attempts = MAX_ATTEMPTS
    message = "We could not finish this photo for a technical reason. Please upload it again."


class ObjectStoreUnavailable(RetryableFailure):
    """The object store did not answer as it should."""

    code = "object_store_unavailable"

    def __init__(self, *, operation: str, key: str) -> None:
        super().__init__(f"the object store failed to {operation} {key}")
        self.operation = operation
        self.key = key


class UnsuitableObjectStore(Exception):
    """The object store lacks what publishing relies on; `missing` says what, for operators."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(f"this object store cannot be used, because it lacks {', '.join(missing)}")
        self.missing = tuple(missing)


class RendererCrashed(RetryableFailure):
    """The image process died."""

    code = "renderer_crashed"
    message = "This photo cannot be processed. Please upload another version of it."
    max_attempts = 2


class RenderTimedOut(RetryableFailure):
    """Rendering took longer than its deadline."""

    code = "render_timed_out"
    message = "This photo takes too long to process. Please upload a simpler version of it."
    max_attempts = 2

    def __init__(self, *, seconds: float) -> None:
        super().__init__(f"not done after {seconds} s")
        self.seconds = seconds


class OutOfMemory(RetryableFailure):
    """Rendering needed more memory than one picture may use."""

    code = "out_of_memory"
    message = "This photo is too large to process. Please upload a smaller version of it."
    max_attempts = 2


class UnexpectedFailure(RetryableFailure):
    """A bug; the log has the traceback. The original is kept, to be retried after a fix."""

    code = "internal_error"
    message = "This is our fault, not your photo's, and we have kept it. Please try again later."

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Wrap an exception that no code foresees, with its traceback as a note."""
        failure = cls(format_exception_only(error)[-1].strip())
        failure.add_note("".join(format_exception(error)))
        return failure


def leaves(kind: type[TranscoderError] = TranscoderError) -> set[type[TranscoderError]]:
    """Every kind of failure: the leaves of the tree."""
    below = kind.__subclasses__()
    return set().union(*map(leaves, below)) if below else {kind}


def codes(kind: type[TranscoderError] = TranscoderError) -> set[str]:
    """Every code that a failure can have."""
    return {leaf.code for leaf in leaves(kind)}
