"""Coverage: whether signed checkpoints cover the leaves of some events.

A checkpoint covers a leaf if the tree of the checkpoint before it, extended by the leaves between,
has its root. That reads the leaves of one round of sealing, however long the log is.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from psycopg import AsyncConnection

from projections.connection import fetch_all
from projections.log_tree.evidence import WrongEvidence, check_evidence, stored_checkpoint
from projections.log_tree.notes import Verifier
from projections.log_tree.sealing import Leaf
from projections.log_tree.tree import HASH_BYTES, Frontier

_BATCH: Final = 10_000
# With a key, events from before it was set are covered by the first checkpoint that is signed.
_SPANS: Final = """
SELECT asked.position, coalesce(before.tree_size, 0) AS old_size,
       coalesce(before.position, 0) AS old_position,
       coalesce(before.frontier, ''::bytea) AS frontier,
       covering.tree_size, covering.position AS until, covering.root_hash, covering.signature
FROM unnest(%(positions)s::bigint[]) AS asked (position)
LEFT JOIN LATERAL (
    SELECT tree_size, position, frontier FROM log_checkpoints WHERE position < asked.position
    ORDER BY position DESC LIMIT 1
) AS before ON true
LEFT JOIN LATERAL (
    SELECT tree_size, position, root_hash, signature FROM log_checkpoints
    WHERE position >= asked.position AND {condition}
    ORDER BY position LIMIT 1
) AS covering ON true
"""
_SIGNED: Final = _SPANS.format(condition="signature IS NOT NULL")
_ANY: Final = _SPANS.format(condition="true")
_LEAVES: Final = """
SELECT position, leaf_hash FROM log_leaves
WHERE position > %(after)s AND position <= %(until)s ORDER BY position LIMIT %(limit)s
"""


class _Span(Struct, frozen=True, kw_only=True):
    """A position, the checkpoint before it, and the first that covers it, if any."""

    position: int
    old_size: int
    old_position: int
    frontier: bytes
    tree_size: int | None
    until: int | None
    root_hash: bytes | None
    signature: bytes | None


async def find_uncovered(
    connection: AsyncConnection[object], positions: Sequence[int], verifier: Verifier | None
) -> dict[int, str]:
    """The positions whose leaf no checkpoint covers, each with the reason.

    With `verifier`, only checkpoints signed by that key count.

    Raises:
        psycopg.Error: the database failed.
    """
    query = _SIGNED if verifier else _ANY
    spans = await fetch_all(connection, _Span, query, {"positions": list(positions)})
    reasons: dict[tuple[int, int | None], str | None] = {}
    for span in spans:
        ends = (span.old_position, span.until)
        if ends not in reasons:
            reasons[ends] = await _reason(connection, span, verifier)
    found = {span.position: reasons[span.old_position, span.until] for span in spans}
    return {position: reason for position, reason in found.items() if reason}


async def _reason(
    connection: AsyncConnection[object], span: _Span, verifier: Verifier | None
) -> str | None:
    if span.tree_size is None or span.until is None or span.root_hash is None:
        return "no signed checkpoint covers it" if verifier else "no checkpoint covers it"
    if verifier:
        signature = span.signature or b""
        signed = stored_checkpoint(span.tree_size, span.root_hash, signature, verifier)
        try:
            check_evidence(signed, verifier=verifier)
        except WrongEvidence:
            return f"the checkpoint of {span.tree_size} events is not signed by {verifier}"
    tree = await _tree_until(connection, span, until=span.until)
    if tree is None or (tree.size, tree.root()) != (span.tree_size, span.root_hash):
        return f"the leaves do not lead to the checkpoint of {span.tree_size} events"
    return None


async def _tree_until(
    connection: AsyncConnection[object], span: _Span, *, until: int
) -> Frontier | None:
    """The tree of the checkpoint before, grown by the leaves since; None if it is damaged."""
    if len(span.frontier) != HASH_BYTES * span.old_size.bit_count():
        return None
    tree = Frontier(span.old_size, span.frontier)
    after = span.old_position
    while True:
        batch = {"after": after, "until": until, "limit": _BATCH}
        leaves = await fetch_all(connection, Leaf, _LEAVES, batch)
        tree.extend(leaf.leaf_hash for leaf in leaves)
        if len(leaves) < _BATCH:
            return tree
        after = leaves[-1].position
