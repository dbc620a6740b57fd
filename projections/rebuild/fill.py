"""Filling the tables of a rebuild with the rows of whole histories, shard by shard."""

from collections.abc import Callable
from contextlib import aclosing
from functools import partial

from msgspec import Struct
from psycopg import AsyncConnection

from domain.events import Event
from projections.connection import Origin, connected_like, origin_of
from projections.follow.projection import Projection
from projections.log.histories import histories
from projections.log.shards import Shard, map_in_processes, shards_of_log
from projections.tables.change import execute_change


async def fill(
    connection: AsyncConnection[object],
    projection: Projection,
    *,
    position: int,
    batch_events: int,
    workers: int,
    report: Callable[[int], None],
) -> None:
    """Fill the empty tables on the connection's search path from the events up to `position`.

    Rows come in the order of their keys and are indexed afterwards, so that an event costs the
    same however long the log is.

    Raises:
        UnreadableEvent: one of the events cannot be decoded.
        psycopg.Error: the database refused a row.
    """
    filled = 0

    def note(events: int) -> None:
        nonlocal filled
        filled += events
        report(filled)

    share = _Share(
        origin=await origin_of(connection),
        projection=projection,
        position=position,
        batch_events=batch_events,
    )
    shards = await shards_of_log(connection, position)
    await map_in_processes(partial(_fill_shard, share), shards, workers=workers, collect=note)


class _Share(Struct, frozen=True, kw_only=True):
    origin: Origin
    projection: Projection
    position: int
    batch_events: int


async def _fill_shard(share: _Share, shard: Shard) -> int:
    filled = 0
    batch: list[Event] = []
    async with connected_like(share.origin) as connection, connection.transaction():
        posts = histories(connection, shard, position=share.position)
        async with aclosing(posts):
            async for _, events in posts:
                batch += events
                if len(batch) >= share.batch_events:
                    filled += await _insert(connection, share.projection, batch)
                    batch.clear()
        return filled + await _insert(connection, share.projection, batch)


async def _insert(
    connection: AsyncConnection[object], projection: Projection, events: list[Event]
) -> int:
    async with connection.cursor() as cursor:
        for change in projection.changes(events):
            await execute_change(cursor, change)
    return len(events)
