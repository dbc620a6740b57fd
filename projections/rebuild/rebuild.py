"""Rebuild: new read tables beside the live ones, verified, then swapped in one transaction.

It works in a separate schema, first on its search path, with a separate tracking position:
until the swap commits, reads see the live tables unchanged.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import anyio
from msgspec import Struct
from psycopg import AsyncConnection, sql

from projections.connection import connected, fetch_value
from projections.follow.batch import project_batch
from projections.follow.leadership import REBUILD_LOCK, name_session, try_to_lead
from projections.follow.projection import Projection
from projections.log.reading import head_position
from projections.rebuild.fill import fill
from projections.rebuild.schema import complete_tables, create_tables, drop_leftovers
from projections.rebuild.swap import swap
from projections.rebuild.verify import Differs, Verification, verify

# Rows per statement pay for its round trip; the memory of a worker grows with them.
BATCH_EVENTS: Final = 5000
# To drop the tables of a rebuild, also after a cancellation.
CLEAN_UP_SECONDS: Final = 30

# Called with the phase, the events done so far and the events to do.
Report: TypeAlias = Callable[[str, int, int], None]

# Of the schema of the rebuild, which comes first on the search path.
_FILLED_UNTIL: Final = """
UPDATE projection_positions SET position = {position}
"""


class RebuildRunning(Exception):
    """Another rebuild of the same projection is running."""

    def __init__(self, name: str) -> None:
        super().__init__(f"another rebuild of projection {name} is running")
        self.name = name


class Rebuilt(Struct, frozen=True, kw_only=True):
    """A finished rebuild: the new tables are live, as of `position`."""

    position: int
    verification: Verification


async def rebuild(
    url: str,
    projection: Projection,
    *,
    report: Report,
    batch_events: int = BATCH_EVENTS,
    workers: int = 1,
) -> Rebuilt:
    """Build, catch up, verify and swap. If anything fails, the live tables are untouched.

    Raises:
        RebuildRunning: another one is running.
        Differs: verification found a difference.
        NeverCaughtUp: events arrive faster than it follows.
        UnreadableEvent: an event cannot be decoded; a rebuild skips none.
        BrokenWorkerProcess: one of the workers was killed.
        psycopg.Error: the database failed or refused a statement.
    """
    async with connected(url) as connection:
        await name_session(connection, "rebuild")
        if not await try_to_lead(connection, REBUILD_LOCK, projection.name):
            raise RebuildRunning(projection.name)
        live = str(await fetch_value(connection, "SELECT current_schema()"))
        async with _without_leftovers(connection, projection):
            schema = await create_tables(connection, projection, live=live)
            head = await _fill(connection, projection, report, batch_events, workers)
            report("index", head, head)
            await complete_tables(connection, projection, schema, live=live)
            await _follow(connection, projection, report, batch_events)
            verification = await _verify(connection, projection, report, workers)
            report("swap", verification.events, verification.events)
            position = await swap(
                connection, projection, schema, live=live, verified=verification.position
            )
            return Rebuilt(position=position, verification=verification)


@asynccontextmanager
async def _without_leftovers(
    connection: AsyncConnection[object], projection: Projection
) -> AsyncGenerator[None]:
    await drop_leftovers(connection, projection.name)
    try:
        yield
    finally:
        if not connection.broken:
            with anyio.move_on_after(CLEAN_UP_SECONDS, shield=True):
                await drop_leftovers(connection, projection.name)


async def _fill(
    connection: AsyncConnection[object],
    projection: Projection,
    report: Report,
    batch_events: int,
    workers: int,
) -> int:
    head = await head_position(connection)
    report("build", 0, head)
    await fill(
        connection,
        projection,
        position=head,
        batch_events=batch_events,
        workers=workers,
        report=lambda events: report("build", events, head),
    )
    await connection.execute(sql.SQL(_FILLED_UNTIL).format(position=head))
    return head


async def _follow(
    connection: AsyncConnection[object], projection: Projection, report: Report, batch_events: int
) -> None:
    while (batch := await project_batch(connection, projection, limit=batch_events)).events:
        report("follow", batch.position, max(batch.position, await head_position(connection)))


async def _verify(
    connection: AsyncConnection[object], projection: Projection, report: Report, workers: int
) -> Verification:
    head = await head_position(connection)
    report("verify", 0, head)
    verification = await verify(
        connection,
        projection,
        honour_skips=False,
        workers=workers,
        report=lambda events: report("verify", events, head),
    )
    if verification.differences:
        raise Differs(projection.name, verification.differences)
    return verification
