"""Verification: reads the whole log and finds the first event that differs from its leaf.

Every leaf is hashed again here, not in the database, and compared with the stored one. The tree of
these hashes must have the root of every checkpoint, also of exported ones.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final, TypeAlias

from msgspec import Struct
from psycopg import AsyncConnection

from projections.connection import fetch_all, fetch_one, fetch_value
from projections.log_tree.evidence import (
    Checkpoint,
    WrongEvidence,
    check_evidence,
    stored_checkpoint,
)
from projections.log_tree.findings import (
    Finding,
    SealedRow,
    find_change,
    find_change_between,
    find_missing,
)
from projections.log_tree.notes import Verifier
from projections.log_tree.tree import Frontier

# Called with the number of events read and, roughly, the total.
Progress: TypeAlias = Callable[[int, int], None]

BATCH: Final = 5000
_END: Final = 2**63 - 1

_EXTENT: Final = """
SELECT coalesce(newest.position, 0) AS checkpoint_position,
       coalesce(newest.tree_size, 0) AS tree_size,
       greatest(newest.position, (SELECT max(position) FROM log_sealing),
                (SELECT max(position) FROM log_leaves), 0) AS sealed_position
FROM (SELECT max(position) AS position, max(tree_size) AS tree_size FROM log_checkpoints) AS newest
"""
# The first rows of both tables together are among the first rows of each.
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
_CHECKPOINTS: Final = """
SELECT position, tree_size, root_hash, frontier, signature FROM log_checkpoints
WHERE position > %(after)s AND position <= %(until)s ORDER BY position
"""
_UNSEALED: Final = """
SELECT count(*) FROM post_events WHERE notification_id > %(position)s
"""


class LogVerification(Struct, frozen=True, kw_only=True):
    """The outcome: intact events, checkpoints that match, and events not sealed yet."""

    events: int
    position: int
    checkpoints: int
    unsealed: int
    finding: Finding | None


class _Extent(Struct, frozen=True, kw_only=True):
    checkpoint_position: int
    tree_size: int
    sealed_position: int


class _Checkpoint(Struct, frozen=True, kw_only=True):
    position: int
    tree_size: int
    root_hash: bytes
    frontier: bytes
    signature: bytes | None


async def verify(
    connection: AsyncConnection[object],
    *,
    exported: Sequence[Checkpoint] = (),
    verifier: Verifier | None = None,
    progress: Progress,
) -> LogVerification:
    """Read the log up to its newest checkpoint, or to an exported one if that is newer.

    A database administrator can rewrite stored checkpoints, but not exported ones: if an exported
    one does not match, the finding spans everything since the exported one before it. It names no
    position, so that only events that are missing at the end can be told from changed ones.

    A log that is shorter than an exported checkpoint was cut off, or restored from a backup. It
    matches up to its newest checkpoint if `verifier` signed that one, and else up to the exported
    one before.

    Memory holds one batch. Appends and sealing may continue.

    Raises:
        psycopg.Error: the database failed.
    """
    extent = await fetch_one(connection, _Extent, _EXTENT)
    assert extent is not None  # noqa: S101 - an aggregate always has a row
    walk = _Walk(connection, extent, exported, verifier)
    finding = await walk.to_the_end(progress)
    sealed = {"position": extent.sealed_position}
    return LogVerification(
        events=walk.tree.size,
        position=walk.position,
        checkpoints=walk.checkpoints,
        unsealed=int(await fetch_value(connection, _UNSEALED, sealed)),
        finding=finding,
    )


class _Walk:
    """One pass: the tree up to a position, and the last checkpoint that matched."""

    def __init__(
        self,
        connection: AsyncConnection[object],
        extent: _Extent,
        exported: Sequence[Checkpoint],
        verifier: Verifier | None,
    ) -> None:
        self.extent = extent
        self.tree = Frontier()
        self.position = 0
        self.checkpoints = 0
        self._connection = connection
        self._verifier = verifier
        # Apart from each other: a stored checkpoint may have been rewritten to match.
        self._matched_position = 0
        self._exported_position = 0
        self._newest: _Checkpoint | None = None
        # The empty tree is the beginning of every log.
        grown = (each for each in exported if each.tree_size)
        self._exported = deque(sorted(grown, key=lambda each: each.tree_size))
        self._largest_size = self._exported[-1].tree_size if self._exported else 0
        is_longer = self._largest_size > extent.tree_size
        self._until = _END if is_longer else extent.sealed_position

    async def to_the_end(self, progress: Progress) -> Finding | None:
        async for rows in self._batches():
            checkpoints = deque(await self._checkpoints(until=rows[-1].position))
            if finding := await self._batch(rows, checkpoints):
                return finding
            progress(self.tree.size, self.extent.tree_size)
        rest = await self._checkpoints(until=self.extent.sealed_position)
        return (
            await self._check_all(rest) or await self._tail() or await self._missing_from_exported()
        )

    async def _batch(
        self, rows: list[SealedRow], checkpoints: deque[_Checkpoint]
    ) -> Finding | None:
        for row in rows:
            if self._has_all_before(row):
                break
            while checkpoints and checkpoints[0].position < row.position:
                if finding := await self._check(checkpoints.popleft()):
                    return finding
            if not self._add(row):
                return await find_change(self._connection, row)
            if finding := await self._check_exported():
                return finding
        return await self._check_all(checkpoints)

    def _has_all_before(self, row: SealedRow) -> bool:
        """Whether all that is sealed, or was exported, has been read."""
        is_sealed = row.position <= self.extent.sealed_position
        return not is_sealed and self.tree.size >= self._largest_size

    def _add(self, row: SealedRow) -> bool:
        """Append the event at this position to the tree, unless it differs from its leaf."""
        event = row.event()
        leaf_hash = event.leaf_hash() if event else None
        if row.position <= self.extent.sealed_position and (
            leaf_hash != row.leaf_hash or not row.has_sealed_name()
        ):
            return False
        if leaf_hash is not None:
            self.tree.append(leaf_hash)
        self.position = row.position
        return True

    async def _check_all(self, checkpoints: Iterable[_Checkpoint]) -> Finding | None:
        for checkpoint in checkpoints:
            if finding := await self._check(checkpoint):
                return finding
        return None

    async def _check(self, checkpoint: _Checkpoint) -> Finding | None:
        is_match = (
            self.tree.size == checkpoint.tree_size
            and self.tree.root() == checkpoint.root_hash
            and checkpoint.frontier == bytes(self.tree)
        )
        if is_match:
            self.checkpoints += 1
            self._matched_position = checkpoint.position
            self._newest = checkpoint
            return None
        return await find_change_between(
            self._connection,
            first=self._matched_position + 1,
            last=checkpoint.position,
            surplus=self.tree.size - checkpoint.tree_size,
        )

    async def _check_exported(self) -> Finding | None:
        """Compare with the exported checkpoints of as many events as the tree has now."""
        while self._exported and self._exported[0].tree_size == self.tree.size:
            if self._exported.popleft().root_hash != self.tree.root():
                return await self._changed_since_export(last=self.position, surplus=0)
            self.checkpoints += 1
            self._exported_position = self.position
        return None

    async def _missing_from_exported(self) -> Finding | None:
        """An exported checkpoint of more events than the log has: some were removed."""
        if not self._exported:
            return None
        tree_size = self._exported[0].tree_size
        signed = self._signed_position()
        if signed or self._exported_position:
            return find_missing(
                exported=self._exported_position,
                signed=signed,
                last=self.position,
                events=self.tree.size,
                expected=tree_size,
            )
        # A position is never smaller than the number of events up to it.
        last = max(self.position, tree_size)
        return await self._changed_since_export(last=last, surplus=self.tree.size - tree_size)

    def _signed_position(self) -> int:
        """The position of the newest stored checkpoint if the verifier's key signed it, else 0."""
        newest = self._newest
        if newest is None or newest.signature is None or self._verifier is None:
            return 0
        signed = stored_checkpoint(
            newest.tree_size, newest.root_hash, newest.signature, self._verifier
        )
        try:
            check_evidence(signed, verifier=self._verifier)
        except WrongEvidence:
            return 0
        return newest.position

    async def _changed_since_export(self, *, last: int, surplus: int) -> Finding:
        first = self._exported_position + 1
        return await find_change_between(self._connection, first=first, last=last, surplus=surplus)

    async def _tail(self) -> Finding | None:
        """Leaves beyond the newest checkpoint: checkpoints were removed."""
        if self.extent.checkpoint_position == self.extent.sealed_position:
            return None
        return await find_change_between(
            self._connection,
            first=self.extent.checkpoint_position + 1,
            last=self.extent.sealed_position,
            surplus=0,
        )

    async def _batches(self) -> AsyncIterator[list[SealedRow]]:
        while True:
            batch = {"after": self.position, "until": self._until, "limit": BATCH}
            rows = await fetch_all(self._connection, SealedRow, _ROWS, batch)
            if not rows or self._has_all_before(rows[0]):
                return
            yield rows

    async def _checkpoints(self, *, until: int) -> list[_Checkpoint]:
        span = {"after": self.position, "until": min(until, self.extent.sealed_position)}
        return await fetch_all(self._connection, _Checkpoint, _CHECKPOINTS, span)
