"""Shards: ranges of post ids that together hold every post, and running over them in parallel.

All events of a post are in one shard, so shards are independent: any number of processes take them
in any order, and none holds more than a batch of events in memory.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar
from uuid import UUID

import anyio
from anyio import CapacityLimiter, to_process
from msgspec import Struct
from psycopg import AsyncConnection, sql

from projections.connection import fetch_values

# About a third of a second of work: enough shards to keep all processes busy to the end, and few
# enough that opening a connection for each costs little.
EVENTS_PER_SHARD: Final = 10_000
# Bounds of shards within some percent of each other, whatever the length of the log.
_SAMPLED_IDS: Final = 20_000
_LOWEST, _HIGHEST = UUID(int=0), UUID(int=2**128 - 1)

# Samples whole pages: the cost is that of the rows it returns, not of the log.
_SAMPLE: Final = """
SELECT originator_id FROM post_events TABLESAMPLE SYSTEM ({percent}) ORDER BY originator_id
"""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Shard(Struct, frozen=True):
    """The posts from one id to another, both included."""

    first: UUID = _LOWEST
    last: UUID = _HIGHEST

    def holds(self, column: str) -> sql.Composed:
        """The SQL condition that a row's post is one of these."""
        return sql.SQL("{} BETWEEN {} AND {}").format(sql.Identifier(column), self.first, self.last)


class Posts(Struct, frozen=True):
    """Some posts, named one by one."""

    ids: frozenset[UUID]

    def holds(self, column: str) -> sql.Composed:
        """The SQL condition that a row's post is one of these."""
        return sql.SQL("{} = ANY ({})").format(sql.Identifier(column), sorted(self.ids))


EVERY_POST: Final = Shard()


async def shards_of_log(connection: AsyncConnection[object], events: int) -> list[Shard]:
    """Divide the posts into shards of about `EVENTS_PER_SHARD`, for a log of so many events."""
    number = -(-events // EVENTS_PER_SHARD)
    if number <= 1:
        return [EVERY_POST]
    percent = min(100.0, 100 * _SAMPLED_IDS / events)
    ids = await fetch_values(connection, sql.SQL(_SAMPLE).format(percent=percent))
    starts = sorted({ids[len(ids) * at // number] for at in range(1, number)}) if ids else []
    ends = [UUID(int=start.int - 1) for start in starts]
    return [Shard(*bounds) for bounds in zip([_LOWEST, *starts], [*ends, _HIGHEST], strict=True)]


async def map_in_processes(
    run: Callable[[Item], Awaitable[Result]],
    items: Sequence[Item],
    *,
    workers: int,
    collect: Callable[[Result], None],
) -> None:
    """Run over all items in up to `workers` processes, or in this one; `collect` takes each result.

    Raises:
        BrokenWorkerProcess: a process was killed from outside.
        Exception: the first that a run raised; the others are ended.
    """
    if min(workers, len(items)) <= 1:
        for item in items:
            collect(await run(item))
        return
    processes = CapacityLimiter(workers)

    async def run_in_process(item: Item) -> None:
        result = to_process.run_sync(anyio.run, run, item, cancellable=True, limiter=processes)
        collect(await result)

    try:
        async with anyio.create_task_group() as tasks:
            for item in items:
                tasks.start_soon(run_in_process, item)
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
