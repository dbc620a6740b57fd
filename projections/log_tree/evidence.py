"""Evidence: checkpoints and proofs in the text formats of C2SP, verified offline.

A checkpoint is a c2sp.org/tlog-checkpoint. A proof of an event is a c2sp.org/tlog-proof, whose
extra data are the bytes of the leaf. A proof that the log only grew is the request by which
c2sp.org/tlog-witness asks a witness to sign a checkpoint.

WrongEvidence              the file is none of them, or does not verify
"""

import re
from typing import Final, TypeAlias

from msgspec import Struct

from projections.log_tree.notes import (
    Note,
    Signature,
    Signer,
    Verifier,
    WrongNote,
    decode_base64,
    encode_base64,
    parse_note,
)
from projections.log_tree.tree import (
    HASH_BYTES,
    SealableEvent,
    WrongProof,
    event_of_leaf,
    root_of_inclusion,
    roots_of_consistency,
)

_PROOF_HEADER: Final = "c2sp.org/tlog-proof@v1"
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_CHECKPOINT_LINES: Final = 3


class Checkpoint(Struct, frozen=True):
    """A tree head: the name of the log, the number of its events, and the root of their tree."""

    origin: str
    tree_size: int
    root_hash: bytes

    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.tree_size}\n{encode_base64(self.root_hash)}\n"


class SignedCheckpoint(Struct, frozen=True):
    """A checkpoint with its signatures."""

    checkpoint: Checkpoint
    note: Note

    def __str__(self) -> str:
        return str(self.note)

    def signature(self) -> bytes:
        """The first signature, without the name and the id of its key."""
        return self.note.signatures[0].signature


class ConsistencyProof(Struct, frozen=True):
    """The proof that the log of a checkpoint begins with the first `old_size` events unchanged."""

    old_size: int
    path: list[bytes]
    signed: SignedCheckpoint

    def __str__(self) -> str:
        return _joined([f"old {self.old_size}", *map(encode_base64, self.path)], self.signed)


class InclusionProof(Struct, frozen=True):
    """The proof that an event is the one at `index`, counted from 0, of a checkpoint's log."""

    event: SealableEvent
    index: int
    path: list[bytes]
    signed: SignedCheckpoint

    def __str__(self) -> str:
        lines = [
            _PROOF_HEADER,
            f"extra {encode_base64(self.event.leaf_data())}",
            f"index {self.index}",
            *map(encode_base64, self.path),
        ]
        return _joined(lines, self.signed)


Evidence: TypeAlias = SignedCheckpoint | ConsistencyProof | InclusionProof


class WrongEvidence(Exception):
    """The file does not verify; the message says why."""


def sign_checkpoint(tree_size: int, root_hash: bytes, signer: Signer) -> SignedCheckpoint:
    """The checkpoint of a tree, signed."""
    checkpoint = Checkpoint(signer.name, tree_size, root_hash)
    return SignedCheckpoint(checkpoint, signer.sign(checkpoint.text()))


def stored_checkpoint(
    tree_size: int, root_hash: bytes, signature: bytes, verifier: Verifier
) -> SignedCheckpoint:
    """A checkpoint with the signature that was stored beside it, as one of this key."""
    checkpoint = Checkpoint(verifier.name, tree_size, root_hash)
    line = Signature(verifier.name, verifier.key_id(), signature)
    return SignedCheckpoint(checkpoint, Note(checkpoint.text(), [line]))


def decode_evidence(content: bytes) -> Evidence:
    """The checkpoint or proof in a file.

    Raises:
        WrongEvidence: it holds neither.
    """
    try:
        text = content.decode()
        if text.startswith(f"{_PROOF_HEADER}\n"):
            return _parse_inclusion(text)
        if text.startswith("old "):
            return _parse_consistency(text)
        return _parse_checkpoint(text)
    except (WrongNote, ValueError) as error:
        raise WrongEvidence(f"neither a checkpoint nor a proof: {error}") from error


def checkpoint_of(evidence: Evidence) -> SignedCheckpoint:
    """The checkpoint in a file, or the one to which its proof leads."""
    return evidence if isinstance(evidence, SignedCheckpoint) else evidence.signed


def check_evidence(
    evidence: Evidence, *, trusted: Checkpoint | None = None, verifier: Verifier | None = None
) -> list[str]:
    """What was verified, line by line; with `trusted`, also that the log of it has only grown.

    Raises:
        WrongEvidence: something does not verify.
    """
    verified = [_check_signature(checkpoint_of(evidence), verifier)]
    try:
        if isinstance(evidence, InclusionProof):
            verified.append(_check_inclusion(evidence))
        if trusted is not None:
            verified.append(_check_growth(trusted, evidence))
    except WrongProof as error:
        raise WrongEvidence(str(error)) from error
    return verified


def _check_signature(signed: SignedCheckpoint, verifier: Verifier | None) -> str:
    origin = signed.checkpoint.origin
    if verifier is None:
        return f"the signature of {origin} was not checked: pass the log's key with --public-key"
    if verifier.name != origin:
        raise WrongEvidence(f"the checkpoint is of the log {origin}, the key of {verifier.name}")
    try:
        verifier.verify(signed.note)
    except WrongNote as error:
        raise WrongEvidence(f"the checkpoint does not hold: {error}") from error
    return f"the checkpoint is signed by {verifier}"


def _check_inclusion(proof: InclusionProof) -> str:
    event, tree_size = proof.event, proof.signed.checkpoint.tree_size
    root = root_of_inclusion(event.leaf_hash(), proof.index, range(tree_size), proof.path)
    if root != proof.signed.checkpoint.root_hash:
        raise WrongEvidence("the event with these bytes is not in the log of this checkpoint")
    return (
        f"event {event.version} of post {event.post_id} ({event.topic}) is in the log at position "
        f"{event.position}, as event {proof.index + 1} of {tree_size}"
    )


def _check_growth(trusted: Checkpoint, evidence: Evidence) -> str:
    checkpoint = checkpoint_of(evidence).checkpoint
    if checkpoint.origin != trusted.origin:
        raise WrongEvidence(f"the trusted checkpoint is of another log, {trusted.origin}")
    if isinstance(evidence, ConsistencyProof) and evidence.old_size == trusted.tree_size:
        old_size, path = evidence.old_size, evidence.path
    elif checkpoint.tree_size == trusted.tree_size:
        old_size, path = checkpoint.tree_size, []
    else:
        raise WrongEvidence(
            f"nothing here leads from {trusted.tree_size} events to {checkpoint.tree_size}: "
            "export a checkpoint with --since"
        )
    roots = roots_of_consistency(
        old_size, range(checkpoint.tree_size), path, old_root=trusted.root_hash
    )
    if roots != (trusted.root_hash, checkpoint.root_hash):
        raise WrongEvidence(
            f"the log of {checkpoint.tree_size} events does not begin with the trusted one of "
            f"{trusted.tree_size}: history was rewritten"
        )
    sizes = f"{checkpoint.tree_size} events begins with the trusted one of {trusted.tree_size}"
    return f"the log of {sizes}, unchanged"


def _joined(lines: list[str], signed: SignedCheckpoint) -> str:
    return "\n".join([*lines, "", str(signed.note)])


def _parse_inclusion(text: str) -> InclusionProof:
    head, _, rest = text.partition("\n\n")
    _, extra, index, *path = [*head.split("\n"), "", ""]
    return InclusionProof(
        event_of_leaf(decode_base64(_after("extra ", extra))),
        _decimal(_after("index ", index)),
        [_hash(line) for line in path[:-2]],
        _parse_checkpoint(rest),
    )


def _parse_consistency(text: str) -> ConsistencyProof:
    head, _, rest = text.partition("\n\n")
    old, *path = head.split("\n")
    return ConsistencyProof(
        _decimal(_after("old ", old)), [_hash(line) for line in path], _parse_checkpoint(rest)
    )


def _parse_checkpoint(text: str) -> SignedCheckpoint:
    note = parse_note(text)
    lines = note.text.split("\n")[:-1]
    # Extension lines may follow; they are signed, and mean nothing here.
    if len(lines) < _CHECKPOINT_LINES or not all(lines):
        raise WrongNote("it is no checkpoint")
    origin, tree_size, root_hash = lines[:_CHECKPOINT_LINES]
    return SignedCheckpoint(Checkpoint(origin, _decimal(tree_size), _hash(root_hash)), note)


def _after(word: str, line: str) -> str:
    if not line.startswith(word):
        raise WrongNote(f"a line with {word.strip()} is missing")
    return line.removeprefix(word)


def _decimal(text: str) -> int:
    if not _DECIMAL.fullmatch(text):
        raise WrongNote("a number is none")
    return int(text)


def _hash(text: str) -> bytes:
    content = decode_base64(text)
    if len(content) != HASH_BYTES:
        raise WrongNote("a hash has the wrong length")
    return content
