"""Proofs from the database: the newest head, and the way from one event, or an older head, to it.

Each streams the leaves once, with the memory of one batch.
"""

from collections.abc import AsyncIterator
from typing import Final

from psycopg import AsyncConnection

from projections.connection import fetch_all, fetch_one, fetch_value
from projections.log_tree.evidence import Extension, Head, HeadFile, ProofFile
from projections.log_tree.sealing import Leaf, SealedHead, newest_head
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
    """The log has nothing that such a proof could be about; the message says why."""


async def export_head(
    connection: AsyncConnection[object], *, since: Head | None = None
) -> HeadFile:
    """The newest head, with the proof that it goes on from `since`.

    Raises:
        NotProvable: nothing is sealed yet, or less than `since` has.
    """
    head = await _newest(connection)
    return HeadFile(head=_as_head(head), extends=await _extension(connection, head, since))


async def export_proof(
    connection: AsyncConnection[object], position: int, *, since: Head | None = None
) -> ProofFile:
    """That the event at `position` is in the tree of the newest head.

    Raises:
        NotProvable: there is no such event, or it is not sealed yet.
    """
    head = await _newest(connection)
    event = await _event(connection, position)
    if position > head.position:
        raise NotProvable(f"the event at position {position} is not sealed yet")
    index = int(await fetch_value(connection, _INDEX, {"position": position}))
    path = await _roots(connection, head, inclusion_ranges(index, range(head.tree_size)))
    return ProofFile(
        head=_as_head(head),
        event=event,
        index=index,
        path=path,
        extends=await _extension(connection, head, since),
    )


async def _newest(connection: AsyncConnection[object]) -> SealedHead:
    head = await newest_head(connection)
    if not head.tree_size:
        raise NotProvable("nothing is sealed yet")
    return head


async def _extension(
    connection: AsyncConnection[object], head: SealedHead, since: Head | None
) -> Extension | None:
    if since is None:
        return None
    if not 0 < since.tree_size <= head.tree_size:
        raise NotProvable(f"{head.tree_size} events are sealed, not {since.tree_size}")
    ranges = consistency_ranges(since.tree_size, range(head.tree_size))
    return Extension(old_size=since.tree_size, path=await _roots(connection, head, ranges))


async def _event(connection: AsyncConnection[object], position: int) -> SealableEvent:
    event = await fetch_one(connection, SealableEvent, _EVENT, {"position": position})
    if event is None:
        raise NotProvable(f"there is no event at position {position}")
    return event


async def _roots(
    connection: AsyncConnection[object], head: SealedHead, ranges: list[range]
) -> list[str]:
    """The roots of disjoint parts of the tree, in the order that was asked for."""
    trees = {part.start: Frontier() for part in ranges}
    stops = {part.start: part.stop for part in ranges}
    current, stop, index = Frontier(), 0, 0
    async for leaf_hash in _leaves(connection, head):
        if index in trees:
            current, stop = trees[index], stops[index]
        if index < stop:
            current.append(leaf_hash)
        index += 1
    return [trees[part.start].root().hex() for part in ranges]


async def _leaves(connection: AsyncConnection[object], head: SealedHead) -> AsyncIterator[bytes]:
    after = 0
    while True:
        batch = {"after": after, "until": head.position, "limit": _BATCH}
        leaves = await fetch_all(connection, Leaf, _LEAVES, batch)
        for leaf in leaves:
            yield leaf.leaf_hash
        if len(leaves) < _BATCH:
            return
        after = leaves[-1].position


def _as_head(head: SealedHead) -> Head:
    assert head.at is not None  # noqa: S101 - only the empty tree has no time
    return Head(
        tree_size=head.tree_size,
        position=head.position,
        root_hash=head.root_hash.hex(),
        at=head.at,
    )
