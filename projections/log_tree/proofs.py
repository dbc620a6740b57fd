"""Proofs from the database: that the newest checkpoint covers events, or an older checkpoint.

Each export reads the leaves once, a batch at a time, and only what verifies is exported.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection

from projections.connection import fetch_all
from projections.log_tree.evidence import (
    Checkpoint,
    ConsistencyProof,
    InclusionProof,
    SignedCheckpoint,
    WrongEvidence,
    check_evidence,
    sign_checkpoint,
)
from projections.log_tree.notes import Signer
from projections.log_tree.sealing import Leaf, StoredCheckpoint, newest_checkpoint
from projections.log_tree.tree import Frontier, SealableEvent, consistency_ranges, inclusion_ranges

_BATCH: Final = 10_000
_EVENTS: Final = """
SELECT notification_id AS position, originator_id AS post_id, originator_version AS version,
       topic, state
FROM post_events WHERE notification_id = ANY (%(positions)s)
"""
_OF_POST: Final = """
SELECT notification_id AS position, originator_id AS post_id, originator_version AS version,
       topic, state
FROM post_events WHERE originator_id = %(post_id)s ORDER BY originator_version
"""
# Counted from the checkpoint before, so that no index counts the leaves of the whole log.
_INDEXES: Final = """
SELECT asked.position, coalesce(before.tree_size, 0) + (
    SELECT count(*) FROM log_leaves AS leaf
    WHERE leaf.position > coalesce(before.position, 0) AND leaf.position < asked.position
) AS index
FROM unnest(%(positions)s::bigint[]) AS asked (position)
LEFT JOIN LATERAL (
    SELECT tree_size, position FROM log_checkpoints WHERE position < asked.position
    ORDER BY position DESC LIMIT 1
) AS before ON true
"""
_LEAVES: Final = """
SELECT position, leaf_hash FROM log_leaves
WHERE position > %(after)s AND position <= %(until)s ORDER BY position LIMIT %(limit)s
"""


class NotProvable(Exception):
    """The log does not hold what was to be proven; the message says why."""


class _Index(Struct, frozen=True, kw_only=True):
    position: int
    index: int


async def export_checkpoint(
    connection: AsyncConnection[object], signer: Signer, *, since: Checkpoint | None = None
) -> SignedCheckpoint | ConsistencyProof:
    """The newest checkpoint; with `since`, in the proof that the log has only grown from that one.

    Raises:
        NotProvable: there is no checkpoint yet, or none as large as `since`, or it does not grow
            from that.
    """
    newest = await _newest(connection)
    signed = sign_checkpoint(newest.tree_size, newest.root_hash, signer)
    if since is None:
        return signed
    if not 0 < since.tree_size <= newest.tree_size:
        raise NotProvable(f"{newest.tree_size} events are sealed, not {since.tree_size}")
    ranges = consistency_ranges(since.tree_size, range(newest.tree_size))
    roots = await _roots(connection, newest, ranges)
    proof = ConsistencyProof(since.tree_size, [roots[part] for part in ranges], signed)
    try:
        check_evidence(proof, trusted=since, verifier=signer.verifier())
    except WrongEvidence as error:
        raise NotProvable(f"nothing is exported: {error}") from error
    return proof


async def export_proof(
    connection: AsyncConnection[object], position: int, signer: Signer
) -> InclusionProof:
    """The proof that the newest checkpoint covers the event at `position`.

    Raises:
        NotProvable: there is no such event, it is not sealed yet, or it differs from what was.
    """
    events = await fetch_all(connection, SealableEvent, _EVENTS, {"positions": [position]})
    if not events:
        raise NotProvable(f"there is no event at position {position}")
    proofs = await prove_events(connection, events, signer)
    if not proofs:
        raise NotProvable(f"the event at position {position} is not sealed yet")
    return proofs[0]


async def export_proofs_of_post(
    connection: AsyncConnection[object], post_id: UUID, signer: Signer
) -> list[InclusionProof]:
    """The proofs that the newest checkpoint covers the events of a post, in their order.

    Raises:
        NotProvable: there is no such post, nothing of it is sealed yet, or an event differs from
            what was sealed.
    """
    events = await fetch_all(connection, SealableEvent, _OF_POST, {"post_id": post_id})
    if not events:
        raise NotProvable(f"there is no post {post_id}")
    proofs = await prove_events(connection, events, signer)
    if not proofs:
        raise NotProvable(f"no event of post {post_id} is sealed yet")
    return proofs


async def prove_events(
    connection: AsyncConnection[object], events: Sequence[SealableEvent], signer: Signer
) -> list[InclusionProof]:
    """The proofs of those of the events that are sealed.

    Raises:
        NotProvable: there is no checkpoint yet, or an event differs from what was sealed.
    """
    newest = await _newest(connection)
    sealed = [event for event in events if event.position <= newest.position]
    indexes = await _indexes(connection, [event.position for event in sealed])
    leaves = range(newest.tree_size)
    paths = {
        position: inclusion_ranges(min(index, leaves.stop - 1), leaves)
        for position, index in indexes.items()
    }
    roots = await _roots(connection, newest, {part for path in paths.values() for part in path})
    signed = sign_checkpoint(newest.tree_size, newest.root_hash, signer)
    proofs = [
        InclusionProof(
            event,
            indexes[event.position],
            [roots[part] for part in paths[event.position]],
            signed,
        )
        for event in sealed
    ]
    for proof in proofs:
        _require_match(proof)
    return proofs


def _require_match(proof: InclusionProof) -> None:
    """Export only what can be verified."""
    try:
        check_evidence(proof)
    except WrongEvidence as error:
        raise NotProvable(
            f"the event at position {proof.event.position} differs from the sealed log, so nothing "
            "is exported: run nova audit verify"
        ) from error


async def _newest(connection: AsyncConnection[object]) -> StoredCheckpoint:
    checkpoint = await newest_checkpoint(connection)
    if not checkpoint.tree_size:
        raise NotProvable("there is no checkpoint yet")
    return checkpoint


async def _indexes(connection: AsyncConnection[object], positions: Sequence[int]) -> dict[int, int]:
    """The place of each position in the tree, counted from 0."""
    found = await fetch_all(connection, _Index, _INDEXES, {"positions": list(positions)})
    return {each.position: each.index for each in found}


async def _roots(
    connection: AsyncConnection[object], checkpoint: StoredCheckpoint, parts: Iterable[range]
) -> dict[range, bytes]:
    """The roots of parts of the tree, which may overlap."""
    trees = {part: Frontier() for part in parts}
    starting: dict[int, list[range]] = defaultdict(list)
    for part in trees:
        starting[part.start].append(part)
    changes = {place for part in trees for place in (part.start, part.stop)}
    open_parts: list[range] = []
    index = 0
    async for leaf_hash in _leaves(connection, checkpoint):
        if index in changes:
            open_parts = [part for part in open_parts if index < part.stop] + starting[index]
        for part in open_parts:
            trees[part].append(leaf_hash)
        index += 1
    return {part: tree.root() for part, tree in trees.items()}


async def _leaves(
    connection: AsyncConnection[object], checkpoint: StoredCheckpoint
) -> AsyncIterator[bytes]:
    after = 0
    while True:
        batch = {"after": after, "until": checkpoint.position, "limit": _BATCH}
        leaves = await fetch_all(connection, Leaf, _LEAVES, batch)
        for leaf in leaves:
            yield leaf.leaf_hash
        if len(leaves) < _BATCH:
            return
        after = leaves[-1].position
