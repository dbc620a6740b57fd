"""Signed notes (c2sp.org/signed-note): text with Ed25519 signatures, and the keys that verify it.

WrongNote                  the text is no signed note, or no trusted key signed it
"""

import base64
import binascii
import re
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

# What a name may be: no Unicode space and no plus.
NAME: Final = r"^[^\s+]+$"

_ED25519: Final = b"\x01"
_KEY_ID_BYTES: Final = 4
_MAX_SIGNATURES: Final = 100
_SIGNATURE: Final = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


class WrongNote(Exception):
    """The text is no signed note, or no trusted key signed it; the message says which."""


class Signature(Struct, frozen=True):
    """One signature line; the id is that of the key, which the line does not hold."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"— {self.name} {encode_base64(self.key_id + self.signature)}"


class Note(Struct, frozen=True):
    """A text, which ends in a newline, and its signatures."""

    text: str
    signatures: list[Signature]

    def __str__(self) -> str:
        return "".join((self.text, "\n", *(f"{each}\n" for each in self.signatures)))


class Verifier(Struct, frozen=True):
    """A trusted key, and the name under which it signs."""

    name: str
    key: Ed25519PublicKey

    def key_id(self) -> bytes:
        """The four bytes that name the key in a signature line."""
        named = self.name.encode() + b"\n" + _ED25519 + raw_public_key(self.key)
        return sha256(named).digest()[:_KEY_ID_BYTES]

    def __str__(self) -> str:
        """The key as C2SP's tools read it (a vkey)."""
        key = encode_base64(_ED25519 + raw_public_key(self.key))
        return f"{self.name}+{self.key_id().hex()}+{key}"

    def verify(self, note: Note) -> None:
        """Verify the signature of this key; those of other keys are ignored.

        Raises:
            WrongNote: there is none, or it is wrong.
        """
        own = [each for each in note.signatures if self._is_own(each)]
        if not own:
            raise WrongNote(f"it is not signed by the key {self}")
        for each in own:
            try:
                self.key.verify(each.signature, note.text.encode())
            except InvalidSignature as error:
                raise WrongNote(f"the signature is not one of {self} for this text") from error

    def _is_own(self, signature: Signature) -> bool:
        return (signature.name, signature.key_id) == (self.name, self.key_id())


class Signer(Struct, frozen=True):
    """A private key, and the name under which it signs."""

    name: str
    key: Ed25519PrivateKey

    def verifier(self) -> Verifier:
        """The key that verifies what this one signs."""
        return Verifier(self.name, self.key.public_key())

    def sign(self, text: str) -> Note:
        """The text as a note. Signing it again gives the same note."""
        signature = self.key.sign(text.encode())
        return Note(text, [Signature(self.name, self.verifier().key_id(), signature)])


def parse_note(content: str) -> Note:
    """The text and the signatures of a note.

    Raises:
        WrongNote: it is none.
    """
    text, separator, lines = content.rpartition("\n\n")
    found = [_SIGNATURE.fullmatch(line) for line in lines.split("\n")[:-1]]
    if not (separator and text and lines.endswith("\n")) or _CONTROL.search(content):
        raise WrongNote("it is no signed note")
    if not 0 < len(found) <= _MAX_SIGNATURES:
        raise WrongNote("it has no signatures, or too many")
    return Note(f"{text}\n", [_signature(match) for match in found])


def parse_verifier(vkey: str) -> Verifier:
    """The key of a vkey, `name+id+key`.

    Raises:
        WrongNote: it is none, or none of Ed25519.
    """
    name, _, rest = vkey.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    key = decode_base64(encoded)
    if not re.fullmatch(NAME, name) or key[:1] != _ED25519:
        raise WrongNote("not a verifier key of Ed25519")
    try:
        verifier = Verifier(name, Ed25519PublicKey.from_public_bytes(key[1:]))
    except ValueError as error:
        raise WrongNote("not a verifier key of Ed25519") from error
    if verifier.key_id().hex() != key_id:
        raise WrongNote("the verifier key has the id of another key")
    return verifier


def raw_public_key(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def encode_base64(content: bytes) -> str:
    """Standard base64, as all C2SP formats use it."""
    return base64.b64encode(content).decode()


def decode_base64(text: str) -> bytes:
    """The bytes; only the one spelling that `encode_base64` gives is read.

    Raises:
        WrongNote: it is not base64.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise WrongNote("it holds something that is not base64") from error
    if encode_base64(content) != text:
        raise WrongNote("it holds something that is not base64")
    return content


def _signature(match: re.Match[str] | None) -> Signature:
    content = decode_base64(match[2]) if match else b""
    if match is None or len(content) <= _KEY_ID_BYTES:
        raise WrongNote("it has a line that is no signature")
    return Signature(match[1], content[:_KEY_ID_BYTES], content[_KEY_ID_BYTES:])
