"""The transcoder's errors: they leave an image process whole, and speak to people."""

import os
import re
from collections.abc import Iterator
from typing import Final

import pytest

from domain.failures import PERMANENT_CODES
from transcoder import errors
from transcoder.errors import (
    ChecksumMismatch,
    ContentTypeMismatch,
    CorruptImage,
    FormatSwitchedOff,
    NotAnImage,
    ObjectStoreUnavailable,
    OriginalMissing,
    OutOfMemory,
    PermanentFailure,
    RendererCrashed,
    RenderTimedOut,
    RetryableFailure,
    SideTooLong,
    TooComplex,
    TooManyBands,
    TooManyPixels,
    TooMuchMemory,
    TranscoderError,
    UnexpectedFailure,
    codes,
)
from transcoder.processes import messages

EXAMPLES: Final[tuple[TranscoderError, ...]] = (
    NotAnImage(),
    ContentTypeMismatch(announced="image/jpeg", actual="image/png"),
    FormatSwitchedOff(content_type="image/heic"),
    TooMuchMemory(needed=400_000_000, limit=380_000_000),
    TooManyPixels(pixels=60_000_000, limit=50_000_000),
    SideTooLong(side=65_500, limit=16_384),
    TooManyBands(bands=7, limit=5),
    TooComplex(reason="257 tiles"),
    CorruptImage(reason="premature end"),
    ChecksumMismatch(expected="aa", actual="bb"),
    OriginalMissing(key="originals/1"),
    ObjectStoreUnavailable(operation="get", key="originals/1"),
    RendererCrashed(),
    RenderTimedOut(seconds=30.0),
    OutOfMemory(),
    UnexpectedFailure(),
)
JARGON: Final = re.compile(
    r"libvips|bytes|header|decod|encod|pipeline|process died|memory|timeout|exception|sha|mime"
    r"|content.type|object|bucket|band|_|[{}<>]",
    re.IGNORECASE,
)


def leaves(kind: type[TranscoderError] = TranscoderError) -> Iterator[type[TranscoderError]]:
    if not kind.__subclasses__():
        yield kind
    for child in kind.__subclasses__():
        yield from leaves(child)


def ours() -> set[type[TranscoderError]]:
    """Every leaf of the module itself; tests elsewhere may define more."""
    return {leaf for leaf in leaves() if leaf.__module__ == errors.__name__}


def test_there_is_an_example_of_every_error() -> None:
    assert {type(example) for example in EXAMPLES} == ours()


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: error.code)
def test_an_error_leaves_its_process_with_all_its_facts(error: TranscoderError) -> None:
    copy = through_a_pipe(error)
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)


def through_a_pipe(error: TranscoderError) -> TranscoderError:
    """The error that a worker makes of what an image process sent."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb"):
        messages.send(writing, messages.failed(error))
        reply = messages.receive_reply(reading)
    assert isinstance(reply, messages.Failed)
    return reply.error()


def test_an_error_as_long_as_a_book_leaves_its_process_shortened() -> None:
    copy = through_a_pipe(CorruptImage(reason="x" * 1_000_000))
    assert isinstance(copy, CorruptImage)
    assert copy.reason == "x" * 20_000


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in EXAMPLES]
    assert len(set(codes)) == len(codes)
    assert TranscoderError.code not in codes
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: error.code)
def test_a_message_tells_people_what_to_do_without_jargon(error: TranscoderError) -> None:
    assert not JARGON.search(error.message)
    assert re.fullmatch(r"[A-Z].+\. Please .+\.", error.message)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: error.code)
def test_what_is_permanent_gets_one_attempt_and_what_may_pass_gets_more(
    error: TranscoderError,
) -> None:
    assert error.retryable == isinstance(error, RetryableFailure)
    assert (error.max_attempts > 1) == error.retryable
    assert not (error.retryable and isinstance(error, PermanentFailure))


def test_owners_may_retry_all_but_what_is_wrong_with_the_photo_itself() -> None:
    of_the_store = {ChecksumMismatch.code, OriginalMissing.code}
    assert codes(PermanentFailure) - of_the_store == PERMANENT_CODES


def test_the_tree_in_the_docstring_names_every_error() -> None:
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))
    assert drawn == {kind.__name__ for kind in ours() | {PermanentFailure, RetryableFailure}}


def test_a_bug_is_our_fault_and_keeps_its_traceback() -> None:
    try:
        raise ZeroDivisionError("a bug")  # noqa: TRY301
    except ZeroDivisionError as error:
        failure = UnexpectedFailure.of(error)
    assert str(failure) == "ZeroDivisionError: a bug"
    assert "our fault" in failure.message
    copy = through_a_pipe(failure)
    assert str(copy) == str(failure)
    assert "test_errors.py" in copy.__notes__[0]
