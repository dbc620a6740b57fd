"""Evidence: heads and proofs as files, and checking them with no database at hand.

WrongEvidence              the file is not one of ours, or says something that does not hold
"""

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from msgspec import Struct
from msgspec.structs import replace

from projections.log_tree.tree import (
    SealableEvent,
    WrongProof,
    root_of_inclusion,
    roots_of_consistency,
)

_PEM: Final = b"-----BEGIN"


class Head(Struct, frozen=True, kw_only=True):
    """The tree at one moment; hashes in hex, key (raw Ed25519) and signature in base64."""

    tree_size: int
    position: int
    root_hash: str
    at: datetime
    public_key: bytes | None = None
    signature: bytes | None = None

    def signed_text(self) -> bytes:
        """What the signature covers: five lines."""
        said = ("nova log head v1", self.tree_size, self.position, self.root_hash)
        return "\n".join([*map(str, said), self.at.astimezone(UTC).isoformat()]).encode()


class Extension(Struct, frozen=True, kw_only=True):
    """The proof that a tree begins with all the events of an older one."""

    old_size: int
    path: list[str]


class HeadFile(Struct, frozen=True, kw_only=True, tag_field="kind", tag="nova.log-head.v1"):
    """An exported head; with `extends` also the proof that an older one is its prefix."""

    head: Head
    extends: Extension | None = None


class ProofFile(Struct, frozen=True, kw_only=True, tag_field="kind", tag="nova.log-proof.v1"):
    """An exported inclusion proof: the event's bytes, its place, and the way to the root."""

    head: Head
    event: SealableEvent
    index: int
    path: list[str]
    extends: Extension | None = None


Evidence: TypeAlias = HeadFile | ProofFile
_DECODER: Final[msgspec.json.Decoder[Evidence]] = msgspec.json.Decoder(HeadFile | ProofFile)


class WrongEvidence(Exception):
    """What is in the file does not hold; the message says why."""


def write_evidence(evidence: Evidence) -> bytes:
    """The file, as JSON for machines that people can read."""
    return msgspec.json.format(msgspec.json.encode(evidence)) + b"\n"


def read_evidence(content: bytes) -> Evidence:
    """A file of ours.

    Raises:
        WrongEvidence: it is none.
    """
    try:
        return _DECODER.decode(content)
    except msgspec.MsgspecError as error:
        raise WrongEvidence(f"this is no head and no proof: {error}") from error


def check_evidence(
    evidence: Evidence, *, trusted: Head | None = None, public_key: Ed25519PublicKey | None = None
) -> list[str]:
    """What holds, in words; of `trusted`, that the log only grew since.

    Raises:
        WrongEvidence: something does not hold.
    """
    said = [_check_signature(evidence.head, public_key)]
    try:
        if isinstance(evidence, ProofFile):
            said.append(_check_inclusion(evidence))
        if trusted is not None:
            said.append(_check_extension(trusted, evidence))
    except (WrongProof, ValueError) as error:
        raise WrongEvidence(str(error)) from error
    return said


def sign(head: Head, key: Ed25519PrivateKey) -> Head:
    """The same head with a signature."""
    raw = raw_public_key(key.public_key())
    return replace(head, public_key=raw, signature=key.sign(head.signed_text()))


def signing_key(setting: str) -> Ed25519PrivateKey:
    """The key of AUDIT_SIGNING_KEY: the path of a PEM file, or base64 of one or of 32 raw bytes.

    Raises:
        ValueError: it is neither; OSError: the file cannot be read.
    """
    if setting.endswith(".pem") or Path(setting).is_file():
        content = Path(setting).read_bytes()
    else:
        content = base64.b64decode(setting, validate=True)
    if not content.startswith(_PEM):
        return Ed25519PrivateKey.from_private_bytes(content)
    key = load_pem_private_key(content, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")  # noqa: TRY004 - the setting is wrong, not the call
    return key


def public_key_of(content: bytes) -> Ed25519PublicKey:
    """The key of a PEM file, or of base64 as heads have it.

    Raises:
        WrongEvidence: it is neither.
    """
    try:
        if not content.startswith(_PEM):
            return Ed25519PublicKey.from_public_bytes(base64.b64decode(content, validate=False))
        key = load_pem_public_key(content)
    except ValueError as error:
        raise WrongEvidence(f"this is no public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise WrongEvidence("this is no Ed25519 key")
    return key


def raw_public_key(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _check_signature(head: Head, trusted: Ed25519PublicKey | None) -> str:
    if head.signature is None or head.public_key is None:
        if trusted is not None:
            raise WrongEvidence("the head is not signed")
        return "the head is not signed: it is worth as much as the way it came"
    try:
        key = trusted or Ed25519PublicKey.from_public_bytes(head.public_key)
        key.verify(head.signature, head.signed_text())
    except (InvalidSignature, ValueError) as error:
        raise WrongEvidence("the head's signature is not of this key and this head") from error
    shown = base64.b64encode(raw_public_key(key)).decode()
    whose = "the given key" if trusted else "the key that it names itself"
    return f"the head is signed by {whose}, {shown}"


def _check_inclusion(proof: ProofFile) -> str:
    leaves = range(proof.head.tree_size)
    leaf = proof.event.leaf_hash()
    root = root_of_inclusion(leaf, proof.index, leaves, _bytes_of(proof.path))
    if root.hex() != proof.head.root_hash:
        raise WrongEvidence("the event with these bytes is not in the log of this head")
    event = proof.event
    return (
        f"event {event.version} of post {event.post_id} ({event.topic}) is in the log at position "
        f"{event.position}, as event {proof.index + 1} of {proof.head.tree_size}"
    )


def _check_extension(trusted: Head, evidence: Evidence) -> str:
    head, extends = evidence.head, evidence.extends
    if trusted.tree_size == head.tree_size and extends is None:
        extends = Extension(old_size=head.tree_size, path=[])
    if extends is None or extends.old_size != trusted.tree_size:
        raise WrongEvidence(
            f"the file holds no proof from a head of {trusted.tree_size} events: "
            "export it with --since"
        )
    roots = roots_of_consistency(
        trusted.tree_size,
        range(head.tree_size),
        _bytes_of(extends.path),
        old_root=bytes.fromhex(trusted.root_hash),
    )
    if [root.hex() for root in roots] != [trusted.root_hash, head.root_hash]:
        raise WrongEvidence(
            f"the log of {head.tree_size} events does not begin with the trusted one of "
            f"{trusted.tree_size}: history was rewritten"
        )
    return (
        f"the log of {head.tree_size} events begins with the trusted one of {trusted.tree_size}, "
        "unchanged"
    )


def _bytes_of(path: list[str]) -> list[bytes]:
    return [bytes.fromhex(part) for part in path]
