"""Sealing: a follower that adds what was appended to the log's tree, after the fact.

Appends never wait for it: it reads the log as any follower does, and writes tables of its own.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct
from psycopg import AsyncConnection

from projections.connection import fetch_all, fetch_one, fetch_value
from projections.log_tree.tree import Frontier

BATCH_EVENTS: Final = 5000

_CLAIM: Final = "SELECT tree_size FROM log_sealing FOR UPDATE"
_HEAD: Final = """
SELECT tree_size, position, root_hash, frontier, at FROM log_checkpoints
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
_SEAL_HEAD: Final = """
WITH head AS (
    INSERT INTO log_checkpoints (tree_size, position, root_hash, frontier)
    VALUES (%(tree_size)s, %(position)s, %(root_hash)s, %(frontier)s)
)
UPDATE log_sealing SET tree_size = %(tree_size)s, position = %(position)s
"""


class SealedHead(Struct, frozen=True, kw_only=True):
    """The tree as it was at one moment: how many events, the last one's position, the root."""

    tree_size: int
    position: int
    root_hash: bytes
    frontier: bytes
    at: datetime | None


class Leaf(Struct, frozen=True):
    """One event in the tree."""

    position: int
    leaf_hash: bytes


EMPTY: Final = SealedHead(tree_size=0, position=0, root_hash=b"", frontier=b"", at=None)


class SealsDamaged(Exception):
    """The head from which the tree would grow on is not there: run `nova audit verify`."""

    def __init__(self, *, tree_size: int) -> None:
        super().__init__(f"the head of {tree_size} events is gone: run `nova audit verify`")
        self.tree_size = tree_size


async def seal(connection: AsyncConnection[object]) -> int:
    """Seal everything that is in the log, and return how many events that were.

    Any number may run, anywhere: they take turns, batch by batch. When there is nothing to do it
    costs three short statements. Memory is that of one batch of hashes.

    Raises:
        SealsDamaged: somebody removed the newest head by hand; nothing was sealed.
        psycopg.Error: a statement failed; whole batches before it stay sealed.
    """
    total = 0
    while sealed := await _seal_batch(connection):
        total += sealed
        if sealed < BATCH_EVENTS:
            break
    return total


async def newest_head(
    connection: AsyncConnection[object], *, tree_size: int | None = None
) -> SealedHead:
    """The newest head (of at most `tree_size` events); `EMPTY` when nothing is sealed yet."""
    return await fetch_one(connection, SealedHead, _HEAD, {"tree_size": tree_size}) or EMPTY


async def _seal_batch(connection: AsyncConnection[object]) -> int:
    async with connection.transaction():
        head = await _claim(connection)
        batch = {"position": head.position, "limit": BATCH_EVENTS}
        leaves = await fetch_all(connection, Leaf, _SEAL_LEAVES, batch)
        if leaves:
            await _seal_head(connection, head, leaves)
    return len(leaves)


async def _claim(connection: AsyncConnection[object]) -> SealedHead:
    tree_size = int(await fetch_value(connection, _CLAIM) or 0)
    head = await newest_head(connection, tree_size=tree_size)
    if head.tree_size != tree_size:
        raise SealsDamaged(tree_size=tree_size)
    return head


async def _seal_head(
    connection: AsyncConnection[object], head: SealedHead, leaves: list[Leaf]
) -> None:
    tree = Frontier(head.tree_size, head.frontier)
    tree.extend(leaf.leaf_hash for leaf in leaves)
    await connection.execute(
        _SEAL_HEAD,
        {
            "tree_size": tree.size,
            "position": leaves[-1].position,
            "root_hash": tree.root(),
            "frontier": bytes(tree),
        },
    )
