"""Verification: walks the whole log and names the first event that is not as it was sealed.

Every leaf is hashed again here, not in the database, and compared with what was sealed; the tree
of these hashes must have the root of every head, also of one that was exported long ago.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final, TypeAlias

from msgspec import Struct
from psycopg import AsyncConnection

from projections.connection import fetch_all, fetch_one, fetch_value
from projections.log_tree.evidence import Head
from projections.log_tree.findings import Finding, LogRow, explain, explain_range
from projections.log_tree.tree import Frontier

# Called with how many events were walked, and how many there are, about.
Progress: TypeAlias = Callable[[int, int], None]

BATCH: Final = 5000

_EXTENT: Final = """
SELECT coalesce(head.position, 0) AS head_position, coalesce(head.tree_size, 0) AS tree_size,
       greatest(head.position, (SELECT max(position) FROM log_sealing),
                (SELECT max(position) FROM log_leaves), 0) AS sealed_position
FROM (SELECT max(position) AS position, max(tree_size) AS tree_size FROM log_checkpoints) AS head
"""
# The first ones of both tables together are among the first ones of each.
_ROWS: Final = """
SELECT coalesce(event.position, leaf.position) AS position, event.post_id, event.version,
       event.topic, event.state, leaf.leaf_hash, leaf.post_id AS sealed_post_id,
       leaf.version AS sealed_version
FROM (
    SELECT notification_id AS position, originator_id AS post_id, originator_version AS version,
           topic, state
    FROM post_events WHERE notification_id > %(after)s AND notification_id <= %(until)s
    ORDER BY notification_id LIMIT %(limit)s
) AS event FULL JOIN (
    SELECT position, leaf_hash, originator_id AS post_id, originator_version AS version
    FROM log_leaves WHERE position > %(after)s AND position <= %(until)s
    ORDER BY position LIMIT %(limit)s
) AS leaf ON leaf.position = event.position
ORDER BY 1 LIMIT %(limit)s
"""
_HEADS: Final = """
SELECT position, tree_size, encode(root_hash, 'hex') AS root_hash, frontier FROM log_checkpoints
WHERE position > %(after)s AND position <= %(until)s ORDER BY position
"""
_UNSEALED: Final = """
SELECT count(*) FROM post_events WHERE notification_id > %(position)s
"""


class Verification(Struct, frozen=True, kw_only=True):
    """What a walk found: events that are as they were, heads that fit, events not sealed yet."""

    events: int
    position: int
    heads: int
    unsealed: int
    finding: Finding | None


class _Extent(Struct, frozen=True, kw_only=True):
    head_position: int
    tree_size: int
    sealed_position: int


class _Checkpoint(Struct, frozen=True, kw_only=True):
    position: int
    tree_size: int
    root_hash: str
    frontier: bytes | None
    is_exported: bool = False


async def verify(
    connection: AsyncConnection[object], *, exported: Sequence[Head] = (), progress: Progress
) -> Verification:
    """Walk the log up to its newest head, or to an exported one if that is further on.

    Heads that left the database are the ones that nobody could make to fit: when one does not,
    the finding spans everything since the exported head before it.

    Memory is that of one batch. Appends and seals may go on meanwhile.

    Raises:
        psycopg.Error: the database did not answer.
    """
    extent = await fetch_one(connection, _Extent, _EXTENT)
    assert extent is not None  # noqa: S101 - an aggregate always has a row
    walk = _Walk(connection, extent, exported)
    finding = await walk.to_the_end(progress)
    sealed = {"position": extent.sealed_position}
    return Verification(
        events=walk.tree.size,
        position=walk.position,
        heads=walk.heads,
        unsealed=int(await fetch_value(connection, _UNSEALED, sealed)),
        finding=finding,
    )


class _Walk:
    """One walk: the tree so far, the position up to which it is, and the last head that fitted."""

    def __init__(
        self, connection: AsyncConnection[object], extent: _Extent, exported: Sequence[Head]
    ) -> None:
        self.extent = extent
        self.tree = Frontier()
        self.position = 0
        self.heads = 0
        self._connection = connection
        # By whether the head was exported: the database's own may have been made to fit.
        self._fitted_position = {False: 0, True: 0}
        self._exported = [_as_checkpoint(head) for head in exported]
        self._until = max([extent.sealed_position, *(head.position for head in exported)])

    async def to_the_end(self, progress: Progress) -> Finding | None:
        async for rows in self._batches():
            heads = deque(await self._heads(until=rows[-1].position))
            if finding := await self._batch(rows, heads):
                return finding
            progress(self.tree.size, self.extent.tree_size)
        return await self._check_all(await self._heads(until=self._until)) or await self._tail()

    async def _batch(self, rows: list[LogRow], heads: deque[_Checkpoint]) -> Finding | None:
        for row in rows:
            while heads and heads[0].position < row.position:
                if finding := await self._check(heads.popleft()):
                    return finding
            if not self._add(row):
                return await explain(self._connection, row)
        return await self._check_all(heads)

    def _add(self, row: LogRow) -> bool:
        """Let the tree grow by the event that is there, if that is the one that was sealed."""
        event = row.event()
        leaf_hash = event.leaf_hash() if event else None
        if row.position <= self.extent.sealed_position and (
            leaf_hash != row.leaf_hash or not row.name_fits()
        ):
            return False
        if leaf_hash is not None:
            self.tree.append(leaf_hash)
        self.position = row.position
        return True

    async def _check_all(self, heads: Iterable[_Checkpoint]) -> Finding | None:
        for head in heads:
            if finding := await self._check(head):
                return finding
        return None

    async def _check(self, head: _Checkpoint) -> Finding | None:
        fits = (
            self.tree.size == head.tree_size
            and self.tree.root().hex() == head.root_hash
            and head.frontier in {None, bytes(self.tree)}
        )
        if fits:
            self.heads += 1
            self._fitted_position[head.is_exported] = head.position
            return None
        return await explain_range(
            self._connection,
            first=self._fitted_position[head.is_exported] + 1,
            last=head.position,
            surplus=self.tree.size - head.tree_size,
        )

    async def _tail(self) -> Finding | None:
        """Leaves past the newest head: only somebody who removed heads leaves such."""
        if self.extent.head_position == self.extent.sealed_position:
            return None
        return await explain_range(
            self._connection,
            first=self.extent.head_position + 1,
            last=self.extent.sealed_position,
            surplus=0,
        )

    async def _batches(self) -> AsyncIterator[list[LogRow]]:
        while True:
            batch = {"after": self.position, "until": self._until, "limit": BATCH}
            rows = await fetch_all(self._connection, LogRow, _ROWS, batch)
            if not rows:
                return
            yield rows

    async def _heads(self, *, until: int) -> list[_Checkpoint]:
        span = {"after": self.position, "until": until}
        heads = await fetch_all(self._connection, _Checkpoint, _HEADS, span)
        heads += (head for head in self._exported if self.position < head.position <= until)
        return sorted(heads, key=lambda head: head.position)


def _as_checkpoint(head: Head) -> _Checkpoint:
    return _Checkpoint(
        position=head.position,
        tree_size=head.tree_size,
        root_hash=head.root_hash,
        frontier=None,
        is_exported=True,
    )
