"""Rebuild: the read tables anew beside the live ones, verified, then swapped in one transaction.

Everything happens in a schema of the rebuild's own that comes first on its search path, with a
tracking position of its own: until the swap commits, nothing that anybody reads has changed.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

import psycopg
from msgspec import Struct
from psycopg import AsyncConnection, sql
from psycopg.rows import scalar_row

from projections.log import head_position
from projections.projection import Projection, UnknownProjection, project_batch
from projections.rebuild_tables import adopt_tables, create_tables, drop_leftovers, schema_of
from projections.standing import REBUILD_LOCK, introduce, try_to_hold
from projections.verify import Difference, Verification, verify

BATCH_EVENTS: Final = 5000
# Readers wait at most this long for a swap that itself waits for somebody; then it is tried again.
SWAP_LOCK_TIMEOUT: Final = "500ms"
SWAP_ATTEMPTS: Final = 20

# Told the phase, the position so far and the position to reach.
Report: TypeAlias = Callable[[str, int, int], None]

_CLAIM_LIVE: Final = """
SELECT position FROM {live}.projection_positions WHERE projection = {name} FOR UPDATE
"""
_ADVANCE_LIVE: Final = """
UPDATE {live}.projection_positions SET position = {position}, updated_at = now()
WHERE projection = {name}
"""
# What stopped the projection before is behind it now.
_CLEAR_FAILURE: Final = """
DELETE FROM {live}.projection_failures WHERE projection = {name} AND position <= {position}
"""


class RebuildRunning(Exception):
    """Another rebuild of the same projection is under way."""

    def __init__(self, name: str) -> None:
        super().__init__(f"projection {name} is being rebuilt already")
        self.name = name


class RebuildDiffers(Exception):
    """The new tables are not what the events say; the live tables were left as they were."""

    def __init__(self, name: str, differences: list[Difference]) -> None:
        super().__init__(f"the rebuilt {name} differs from the log in {len(differences)} rows")
        self.name = name
        self.differences = differences


class Rebuilt(Struct, frozen=True, kw_only=True):
    """A finished rebuild: the live tables are the new ones, as of `position`."""

    position: int
    verification: Verification


async def rebuild(
    url: str, projection: Projection, *, report: Report, batch_events: int = BATCH_EVENTS
) -> Rebuilt:
    """Build, catch up, verify and swap; whatever ends it before, the live tables are untouched.

    Raises:
        RebuildRunning: another one has not ended yet.
        RebuildDiffers: verification found a difference.
        UnreadableEvent: the log holds something unreadable; a rebuild skips nothing.
        psycopg.Error: the database refused; likewise.
    """
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("SET TIME ZONE 'UTC'")
        await introduce(connection, "rebuild")
        if not await try_to_hold(connection, REBUILD_LOCK, projection.name):
            raise RebuildRunning(projection.name)
        live = await _current_schema(connection)
        await drop_leftovers(connection, projection.name)
        try:
            return await _rebuild(connection, projection, live, report, batch_events)
        except Exception:
            if not connection.broken:
                await drop_leftovers(connection, projection.name)
            raise


async def _rebuild(
    connection: AsyncConnection[object],
    projection: Projection,
    live: str,
    report: Report,
    batch_events: int,
) -> Rebuilt:
    await create_tables(connection, projection.name, live=live)
    head = await head_position(connection)
    report("build", 0, head)
    position = 0
    while (batch := await project_batch(connection, projection, limit=batch_events)).events:
        position = batch.position
        report("build", position, max(head, position))
    report("verify", position, position)
    verification = await verify(connection, projection, honour_skips=False)
    if verification.differences:
        raise RebuildDiffers(projection.name, verification.differences)
    report("swap", position, position)
    position = await _swap_patiently(connection, projection, live)
    await drop_leftovers(connection, projection.name)
    return Rebuilt(position=position, verification=verification)


async def _swap_patiently(
    connection: AsyncConnection[object], projection: Projection, live: str
) -> int:
    for attempts_left in reversed(range(SWAP_ATTEMPTS)):
        # What came during verification, or a wait, must not be done under the lock.
        while (await project_batch(connection, projection)).events:
            pass
        try:
            return await _swap(connection, projection, live)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if not attempts_left:
                raise
    raise AssertionError


async def _swap(connection: AsyncConnection[object], projection: Projection, live: str) -> int:
    names: dict[str, sql.Composable] = {"live": sql.Identifier(live)}
    names["name"] = sql.Literal(projection.name)
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{SWAP_LOCK_TIMEOUT}'")
        claimed = await connection.execute(sql.SQL(_CLAIM_LIVE).format(**names))
        if await claimed.fetchone() is None:
            raise UnknownProjection(projection.name)
        # The live position stands still now, and everything up to it is in the log.
        while (batch := await project_batch(connection, projection)).events:
            pass
        names["position"] = sql.Literal(batch.position)
        await connection.execute(sql.SQL(_ADVANCE_LIVE).format(**names))
        await connection.execute(sql.SQL(_CLEAR_FAILURE).format(**names))
        await adopt_tables(connection, schema_of(projection.name), live=live)
        return batch.position


async def _current_schema(connection: AsyncConnection[object]) -> str:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT current_schema()")
        return str(await cursor.fetchone())
