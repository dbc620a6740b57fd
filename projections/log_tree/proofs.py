"""Proofs from the database: that the newest checkpoint covers an event, or an older checkpoint.

Each proof reads the leaves once, a batch at a time.
"""

from collections.abc import AsyncIterator
from typing import Final

from psycopg import AsyncConnection

from projections.connection import fetch_all, fetch_one, fetch_value
from projections.log_tree.evidence import (
    Checkpoint,
    CheckpointFile,
    Extension,
    ProofFile,
    WrongEvidence,
    check_evidence,
)
from projections.log_tree.sealing import Leaf, StoredCheckpoint, newest_checkpoint
from projections.log_tree.tree import Frontier, SealableEvent, consistency_ranges, inclusion_ranges

_BATCH: Final = 10_000
_EVENT: Final = """
SELECT notification_id AS position, originator_id AS post_id, originator_version AS version,
       topic, state
FROM post_events WHERE notification_id = %(position)s
"""
_INDEX: Final = "SELECT count(*) FROM log_leaves WHERE position < %(position)s"
_LEAVES: Final = """
SELECT position, leaf_hash FROM log_leaves
WHERE position > %(after)s AND position <= %(until)s ORDER BY position LIMIT %(limit)s
"""


class NotProvable(Exception):
    """The log does not hold what was to be proven; the message says why."""


async def export_checkpoint(
    connection: AsyncConnection[object], *, since: Checkpoint | None = None
) -> CheckpointFile:
    """The newest checkpoint, with the proof that it extends `since`.

    Raises:
        NotProvable: there is no checkpoint yet, or none as large as `since`.
    """
    checkpoint = await _newest(connection)
    return CheckpointFile(
        checkpoint=_as_exported(checkpoint), extends=await _extension(connection, checkpoint, since)
    )


async def export_proof(
    connection: AsyncConnection[object], position: int, *, since: Checkpoint | None = None
) -> ProofFile:
    """The proof that the newest checkpoint covers the event at `position`.

    Raises:
        NotProvable: there is no such event, it is not sealed yet, or it differs from what was.
    """
    checkpoint = await _newest(connection)
    event = await _event(connection, position)
    if position > checkpoint.position:
        raise NotProvable(f"the event at position {position} is not sealed yet")
    index = int(await fetch_value(connection, _INDEX, {"position": position}))
    path = await _roots(
        connection, checkpoint, inclusion_ranges(index, range(checkpoint.tree_size))
    )
    proof = ProofFile(
        checkpoint=_as_exported(checkpoint),
        event=event,
        index=index,
        path=path,
        extends=await _extension(connection, checkpoint, since),
    )
    _require_match(proof)
    return proof


def _require_match(proof: ProofFile) -> None:
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


async def _extension(
    connection: AsyncConnection[object], checkpoint: StoredCheckpoint, since: Checkpoint | None
) -> Extension | None:
    if since is None:
        return None
    if not 0 < since.tree_size <= checkpoint.tree_size:
        raise NotProvable(f"{checkpoint.tree_size} events are sealed, not {since.tree_size}")
    ranges = consistency_ranges(since.tree_size, range(checkpoint.tree_size))
    return Extension(old_size=since.tree_size, path=await _roots(connection, checkpoint, ranges))


async def _event(connection: AsyncConnection[object], position: int) -> SealableEvent:
    event = await fetch_one(connection, SealableEvent, _EVENT, {"position": position})
    if event is None:
        raise NotProvable(f"there is no event at position {position}")
    return event


async def _roots(
    connection: AsyncConnection[object], checkpoint: StoredCheckpoint, ranges: list[range]
) -> list[str]:
    """The roots of disjoint parts of the tree, in the order of `ranges`."""
    trees = {part.start: Frontier() for part in ranges}
    stops = {part.start: part.stop for part in ranges}
    current, stop, index = Frontier(), 0, 0
    async for leaf_hash in _leaves(connection, checkpoint):
        if index in trees:
            current, stop = trees[index], stops[index]
        if index < stop:
            current.append(leaf_hash)
        index += 1
    return [trees[part.start].root().hex() for part in ranges]


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


def _as_exported(checkpoint: StoredCheckpoint) -> Checkpoint:
    assert checkpoint.at is not None  # noqa: S101 - only the empty tree has no time
    return Checkpoint(
        tree_size=checkpoint.tree_size,
        position=checkpoint.position,
        root_hash=checkpoint.root_hash.hex(),
        at=checkpoint.at,
    )
