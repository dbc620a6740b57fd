"""Messages between a worker and its image processes: MessagePack, each behind its length.

Not pickles: an attacker who takes over an image process writes its replies, and a pickle is a
program that runs in the worker.
"""

import os
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from domain.formats import ContentType
from transcoder.errors import TranscoderError, UnexpectedFailure, leaves
from transcoder.rendering import MIB, Rendering

_MOST_CHARACTERS: Final = 20_000
Text: TypeAlias = Annotated[str, Meta(max_length=_MOST_CHARACTERS)]
Fact: TypeAlias = int | float | Text
_LENGTH_BYTES: Final = 8
# Three variants of 2 MB at most; the length is the sender's word.
MOST_REPLY_BYTES: Final = 16 * MIB


class Request(Struct, frozen=True):
    """An original to render, as it was announced."""

    content_type: ContentType
    content: bytes


class Ready(Struct, frozen=True, tag="ready"):
    """The process is warm; `missing` names the defences that its machine lacks."""

    missing: tuple[str, ...]


class Rendered(Struct, frozen=True, tag="rendered"):
    """The variants of an original."""

    rendering: Rendering


class Failed(Struct, frozen=True, tag="failed"):
    """An error of ours: its code and facts, or the words and traceback of one nobody foresaw."""

    code: str
    facts: Annotated[dict[str, Fact], Meta(max_length=9)]
    notes: Annotated[tuple[Text, ...], Meta(max_length=9)]

    def error(self) -> TranscoderError:
        """The error itself.

        Raises:
            ValueError, TypeError: there is no error with this code, or it has other facts.
        """
        kinds = {kind.code: kind for kind in leaves()}
        if self.code not in kinds:
            raise ValueError(self.code)
        kind = kinds[self.code]
        is_unforeseen = issubclass(kind, UnexpectedFailure)
        error = kind(*self.facts.values()) if is_unforeseen else kind(**self.facts)
        for note in self.notes:
            error.add_note(note)
        return error


Reply: TypeAlias = Ready | Rendered | Failed
_encoder: Final = msgspec.msgpack.Encoder()
_replies: Final = msgspec.msgpack.Decoder(Reply)
_requests: Final = msgspec.msgpack.Decoder(Request)


def failed(error: TranscoderError) -> Failed:
    """The message that carries an error out of its process."""
    facts = {name: value for name, value in vars(error).items() if name != "__notes__"}
    if isinstance(error, UnexpectedFailure):
        facts = {"words": str(error)}
    notes = tuple(note[-_MOST_CHARACTERS:] for note in getattr(error, "__notes__", ()))
    return Failed(error.code, {name: _shortened(fact) for name, fact in facts.items()}, notes)


def _shortened(fact: Fact) -> Fact:
    return fact[-_MOST_CHARACTERS:] if isinstance(fact, str) else fact


def send(descriptor: int, message: Request | Reply) -> None:
    """Write a message to a pipe.

    Raises:
        OSError: there is no reader.
    """
    content = _encoder.encode(message)
    rest = memoryview(len(content).to_bytes(_LENGTH_BYTES) + content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive_request(descriptor: int) -> Request:
    """Wait for the next request.

    Raises:
        EOFError: the worker has ended, or wants this process to end.
    """
    return _requests.decode(_receive(descriptor, None))


def receive_reply(descriptor: int) -> Reply:
    """Wait for the next reply.

    Raises:
        EOFError: the image process has ended.
        ValueError: it replied something else (`msgspec.DecodeError` is one).
    """
    reply: Reply = _replies.decode(_receive(descriptor, MOST_REPLY_BYTES))
    return reply


def _receive(descriptor: int, most: int | None) -> bytearray:
    length = int.from_bytes(_read(descriptor, _LENGTH_BYTES))
    if most is not None and length > most:
        raise ValueError(length)
    return _read(descriptor, length)


def _read(descriptor: int, length: int) -> bytearray:
    content = bytearray()
    while len(content) < length:
        part = os.read(descriptor, min(MIB, length - len(content)))
        if not part:
            raise EOFError
        content += part
    return content
