"""Sealing: extends the log's tree by new events and stores a checkpoint of it.

Appends never wait for it: it follows the log, and writes other tables.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct
from psycopg import AsyncConnection

from projections.connection import fetch_all, fetch_one, fetch_value
from projections.log_tree.evidence import sign_checkpoint
from projections.log_tree.notes import Signer
from projections.log_tree.tree import Frontier

# Bounds the time that a batch holds the lock on sealing, to some 50 ms.
BATCH_EVENTS: Final = 5000

_CLAIM: Final = "SELECT tree_size FROM log_sealing FOR UPDATE"
_NEWEST: Final = """
SELECT tree_size, position, root_hash, frontier, signature, at FROM log_checkpoints
WHERE tree_size <= coalesce(%(tree_size)s, tree_size) ORDER BY tree_size DESC LIMIT 1
"""
_SEAL_LEAVES: Final = """
WITH sealed AS (
    INSERT INTO log_leaves (position, leaf_hash, originator_id, originator_version)
    SELECT notification_id,
           log_leaf(notification_id, originator_id, originator_version, topic, state),
           originator_id, originator_version
    FROM post_events WHERE notification_id > %(position)s
    ORDER BY notification_id LIMIT %(limit)s
    RETURNING position, leaf_hash
)
SELECT position, leaf_hash FROM sealed ORDER BY position
"""
_STORE_CHECKPOINT: Final = """
WITH checkpoint AS (
    INSERT INTO log_checkpoints (tree_size, position, root_hash, frontier, signature)
    VALUES (%(tree_size)s, %(position)s, %(root_hash)s, %(frontier)s, %(signature)s)
)
UPDATE log_sealing SET tree_size = %(tree_size)s, position = %(position)s
"""


class StoredCheckpoint(Struct, frozen=True, kw_only=True):
    """A checkpoint as stored: events in the tree, position of the last one, root and frontier."""

    tree_size: int
    position: int
    root_hash: bytes
    frontier: bytes
    signature: bytes | None
    at: datetime | None


class Leaf(Struct, frozen=True):
    """One event of the tree."""

    position: int
    leaf_hash: bytes


EMPTY: Final = StoredCheckpoint(
    tree_size=0, position=0, root_hash=b"", frontier=b"", signature=None, at=None
)


class CheckpointMissing(Exception):
    """The checkpoint from which the tree would grow is missing: run `nova audit verify`."""

    def __init__(self, *, tree_size: int) -> None:
        super().__init__(
            f"the checkpoint of {tree_size} events is missing: run `nova audit verify`"
        )
        self.tree_size = tree_size


async def seal(connection: AsyncConnection[object], signer: Signer | None = None) -> int:
    """Seal all new events, sign the checkpoints if there is a key, and return their number.

    Concurrent calls serialise batch by batch. Without new events it costs three short statements.
    Memory holds one batch of hashes.

    Raises:
        CheckpointMissing: the newest checkpoint was removed by hand; nothing was sealed.
        psycopg.Error: a statement failed; whole batches before it stay sealed.
    """
    total = 0
    while sealed := await _seal_batch(connection, signer):
        total += sealed
        if sealed < BATCH_EVENTS:
            break
    return total


async def newest_checkpoint(
    connection: AsyncConnection[object], *, tree_size: int | None = None
) -> StoredCheckpoint:
    """The newest checkpoint (of at most `tree_size` events); `EMPTY` if there is none."""
    return await fetch_one(connection, StoredCheckpoint, _NEWEST, {"tree_size": tree_size}) or EMPTY


async def _seal_batch(connection: AsyncConnection[object], signer: Signer | None) -> int:
    async with connection.transaction():
        checkpoint = await _claim(connection)
        batch = {"position": checkpoint.position, "limit": BATCH_EVENTS}
        leaves = await fetch_all(connection, Leaf, _SEAL_LEAVES, batch)
        if leaves:
            await _store_checkpoint(connection, checkpoint, leaves, signer)
    return len(leaves)


async def _claim(connection: AsyncConnection[object]) -> StoredCheckpoint:
    tree_size = int(await fetch_value(connection, _CLAIM) or 0)
    checkpoint = await newest_checkpoint(connection, tree_size=tree_size)
    if checkpoint.tree_size != tree_size:
        raise CheckpointMissing(tree_size=tree_size)
    return checkpoint


async def _store_checkpoint(
    connection: AsyncConnection[object],
    checkpoint: StoredCheckpoint,
    leaves: list[Leaf],
    signer: Signer | None,
) -> None:
    tree = Frontier(checkpoint.tree_size, checkpoint.frontier)
    tree.extend(leaf.leaf_hash for leaf in leaves)
    await connection.execute(
        _STORE_CHECKPOINT,
        {
            "tree_size": tree.size,
            "position": leaves[-1].position,
            "root_hash": tree.root(),
            "frontier": bytes(tree),
            "signature": signer and sign_checkpoint(tree.size, tree.root(), signer).signature(),
        },
    )
