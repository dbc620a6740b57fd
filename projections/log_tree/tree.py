"""The log's Merkle tree (RFC 6962): leaves, roots, and verifying proofs offline.

Ours because pymerkle is under the GPL and cannot grow a tree from its frontier.
"""

import struct
from collections.abc import Iterable
from hashlib import sha256
from typing import Final
from uuid import UUID

from msgspec import Struct

HASH_BYTES: Final = 32
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"
_HEADER: Final = struct.Struct(">q16sqi")


class WrongProof(Exception):
    """A proof of the wrong length for its tree."""


class SealableEvent(Struct, frozen=True):
    """An event with all that its leaf hash covers."""

    position: int
    post_id: UUID
    version: int
    topic: str
    state: bytes

    def leaf_hash(self) -> bytes:
        """The hash of the event's leaf."""
        return sha256(_LEAF + self.leaf_data()).digest()

    def leaf_data(self) -> bytes:
        """What the leaf covers: position, post, version, length of the topic, topic and state."""
        topic = self.topic.encode()
        header = _HEADER.pack(self.position, self.post_id.bytes, self.version, len(topic))
        return b"".join((header, topic, self.state))


def event_of_leaf(data: bytes) -> SealableEvent:
    """The event that a leaf covers.

    Raises:
        ValueError: the bytes are not those of a leaf.
    """
    if len(data) < _HEADER.size:
        raise ValueError("too short for an event")
    position, post_id, version, length = _HEADER.unpack_from(data)
    end = _HEADER.size + length
    if not _HEADER.size <= end <= len(data):
        raise ValueError("too short for the topic of its event")
    topic = data[_HEADER.size : end].decode()
    return SealableEvent(position, UUID(bytes=post_id), version, topic, data[end:])


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees together."""
    return sha256(_NODE + left + right).digest()


class Frontier:
    """An append-only tree: the roots of its perfect subtrees, largest first."""

    def __init__(self, size: int = 0, roots: bytes = b"") -> None:
        self.size = size
        self._roots = [roots[at : at + HASH_BYTES] for at in range(0, len(roots), HASH_BYTES)]

    def __bytes__(self) -> bytes:
        return b"".join(self._roots)

    def append(self, leaf: bytes) -> None:
        """Append a leaf: one pair merges for each trailing one bit of the size."""
        size, roots = self.size, self._roots
        while size & 1:
            leaf = node_hash(roots.pop(), leaf)
            size >>= 1
        roots.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append several leaves."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """The hash of the whole tree."""
        if not self._roots:
            return sha256().digest()
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = node_hash(left, root)
        return root


def inclusion_ranges(index: int, leaves: range) -> list[range]:
    """The siblings on the way from the leaf at `index` up to the root."""
    if len(leaves) == 1:
        return []
    left, right = _halves(leaves)
    if index in left:
        return [*inclusion_ranges(index, left), right]
    return [*inclusion_ranges(index, right), left]


def consistency_ranges(old_size: int, leaves: range, *, is_old_tree: bool = True) -> list[range]:
    """The subtrees from which the old root and the new one can both be computed."""
    if old_size == leaves.stop:
        return [] if is_old_tree else [leaves]
    left, right = _halves(leaves)
    if old_size <= left.stop:
        return [*consistency_ranges(old_size, left, is_old_tree=is_old_tree), right]
    return [*consistency_ranges(old_size, right, is_old_tree=False), left]


def root_of_inclusion(leaf: bytes, index: int, leaves: range, path: list[bytes]) -> bytes:
    """The root to which `path` leads from the leaf at `index`.

    Raises:
        WrongProof: the path has the wrong length for this leaf.
    """
    _require(index in leaves and (len(leaves) == 1) == (not path))
    if len(leaves) == 1:
        return leaf
    left, right = _halves(leaves)
    *below, sibling = path
    if index in left:
        return node_hash(root_of_inclusion(leaf, index, left, below), sibling)
    return node_hash(sibling, root_of_inclusion(leaf, index, right, below))


def roots_of_consistency(
    old_size: int, leaves: range, path: list[bytes], *, old_root: bytes | None
) -> tuple[bytes, bytes]:
    """The old root and the new one, as `path` gives them.

    Raises:
        WrongProof: the path has the wrong length for the two sizes.
    """
    _require(leaves.start < old_size <= leaves.stop)
    if old_size == leaves.stop:
        known = path if old_root is None else [*path, old_root]
        _require(len(known) == 1)
        return known[0], known[0]
    _require(bool(path))
    left, right = _halves(leaves)
    *below, sibling = path
    if old_size <= left.stop:
        old, new = roots_of_consistency(old_size, left, below, old_root=old_root)
        return old, node_hash(new, sibling)
    old, new = roots_of_consistency(old_size, right, below, old_root=None)
    return node_hash(sibling, old), node_hash(sibling, new)


def _halves(leaves: range) -> tuple[range, range]:
    """The left one is the largest power of two that leaves something for the right one."""
    width = 1 << ((len(leaves) - 1).bit_length() - 1)
    return leaves[:width], leaves[width:]


def _require(holds: bool) -> None:  # noqa: FBT001 - as in assert
    if not holds:
        raise WrongProof("the proof has the wrong length for its place in the tree")
