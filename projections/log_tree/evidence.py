"""Evidence: checkpoints and proofs as files, verified offline.

WrongEvidence              the file is no checkpoint or proof, or does not verify
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


class Checkpoint(Struct, frozen=True, kw_only=True):
    """A signed tree head: hashes in hex, key (raw Ed25519) and signature in base64."""

    tree_size: int
    position: int
    root_hash: str
    at: datetime
    public_key: bytes | None = None
    signature: bytes | None = None

    def signed_text(self) -> bytes:
        """The five lines that the signature covers."""
        lines = ("nova checkpoint v1", self.tree_size, self.position, self.root_hash)
        return "\n".join([*map(str, lines), self.at.astimezone(UTC).isoformat()]).encode()


class Extension(Struct, frozen=True, kw_only=True):
    """The proof that a tree begins with all the events of an older one."""

    old_size: int
    path: list[str]


class CheckpointFile(Struct, frozen=True, kw_only=True, tag_field="kind", tag="nova.checkpoint.v1"):
    """An exported checkpoint; `extends` proves that an older one is its prefix."""

    checkpoint: Checkpoint
    extends: Extension | None = None


class ProofFile(Struct, frozen=True, kw_only=True, tag_field="kind", tag="nova.proof.v1"):
    """An exported inclusion proof: the event's bytes, its index, and the path to the root."""

    checkpoint: Checkpoint
    event: SealableEvent
    index: int
    path: list[str]
    extends: Extension | None = None


Evidence: TypeAlias = CheckpointFile | ProofFile
_DECODER: Final[msgspec.json.Decoder[Evidence]] = msgspec.json.Decoder(CheckpointFile | ProofFile)


class WrongEvidence(Exception):
    """The file does not verify; the message says why."""


def encode_evidence(evidence: Evidence) -> bytes:
    """The file, as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(evidence)) + b"\n"


def decode_evidence(content: bytes) -> Evidence:
    """The checkpoint or proof in a file.

    Raises:
        WrongEvidence: it holds neither.
    """
    try:
        return _DECODER.decode(content)
    except msgspec.MsgspecError as error:
        raise WrongEvidence(f"neither a checkpoint nor a proof: {error}") from error


def check_evidence(
    evidence: Evidence,
    *,
    trusted: Checkpoint | None = None,
    public_key: Ed25519PublicKey | None = None,
) -> list[str]:
    """What was verified, line by line; with `trusted`, also that the log extends it.

    Raises:
        WrongEvidence: something does not verify.
    """
    verified = [_check_signature(evidence.checkpoint, public_key)]
    try:
        if isinstance(evidence, ProofFile):
            verified.append(_check_inclusion(evidence))
        if trusted is not None:
            verified.append(_check_extension(trusted, evidence))
    except (WrongProof, ValueError) as error:
        raise WrongEvidence(str(error)) from error
    return verified


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> Checkpoint:
    """The checkpoint with a signature."""
    raw = raw_public_key(key.public_key())
    return replace(checkpoint, public_key=raw, signature=key.sign(checkpoint.signed_text()))


def signing_key(setting: str) -> Ed25519PrivateKey:
    """The key of AUDIT_SIGNING_KEY: the path of a PEM file, or base64 of one or of 32 raw bytes.

    Raises:
        ValueError: it is neither.
        OSError: the file cannot be read.
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
    """The key of a PEM file, or of base64 as in a checkpoint.

    Raises:
        WrongEvidence: it is neither.
    """
    try:
        if not content.startswith(_PEM):
            return Ed25519PublicKey.from_public_bytes(base64.b64decode(content, validate=False))
        key = load_pem_public_key(content)
    except ValueError as error:
        raise WrongEvidence(f"not a public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise WrongEvidence("not an Ed25519 key")
    return key


def raw_public_key(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _check_signature(checkpoint: Checkpoint, trusted: Ed25519PublicKey | None) -> str:
    if checkpoint.signature is None or checkpoint.public_key is None:
        if trusted is not None:
            raise WrongEvidence("the checkpoint is not signed")
        return "the checkpoint is not signed: trust it no more than the channel it came by"
    try:
        key = trusted or Ed25519PublicKey.from_public_bytes(checkpoint.public_key)
        key.verify(checkpoint.signature, checkpoint.signed_text())
    except (InvalidSignature, ValueError) as error:
        raise WrongEvidence(
            "the checkpoint's signature is not of this key and this checkpoint"
        ) from error
    shown = base64.b64encode(raw_public_key(key)).decode()
    whose = "the given key" if trusted else "the key it names"
    return f"the checkpoint is signed by {whose}, {shown}"


def _check_inclusion(proof: ProofFile) -> str:
    leaves = range(proof.checkpoint.tree_size)
    leaf = proof.event.leaf_hash()
    root = root_of_inclusion(leaf, proof.index, leaves, _bytes_of(proof.path))
    if root.hex() != proof.checkpoint.root_hash:
        raise WrongEvidence("the event with these bytes is not in the log of this checkpoint")
    event = proof.event
    return (
        f"event {event.version} of post {event.post_id} ({event.topic}) is in the log at position "
        f"{event.position}, as event {proof.index + 1} of {proof.checkpoint.tree_size}"
    )


def _check_extension(trusted: Checkpoint, evidence: Evidence) -> str:
    checkpoint, extends = evidence.checkpoint, evidence.extends
    if trusted.tree_size == checkpoint.tree_size and extends is None:
        extends = Extension(old_size=checkpoint.tree_size, path=[])
    if extends is None or extends.old_size != trusted.tree_size:
        raise WrongEvidence(
            f"the file does not extend a checkpoint of {trusted.tree_size} events: "
            "export it with --since"
        )
    roots = roots_of_consistency(
        trusted.tree_size,
        range(checkpoint.tree_size),
        _bytes_of(extends.path),
        old_root=bytes.fromhex(trusted.root_hash),
    )
    if [root.hex() for root in roots] != [trusted.root_hash, checkpoint.root_hash]:
        raise WrongEvidence(
            f"the log of {checkpoint.tree_size} events does not begin with the trusted one of "
            f"{trusted.tree_size}: history was rewritten"
        )
    sizes = f"{checkpoint.tree_size} events begins with the trusted one of {trusted.tree_size}"
    return f"the log of {sizes}, unchanged"


def _bytes_of(path: list[str]) -> list[bytes]:
    return [bytes.fromhex(part) for part in path]
