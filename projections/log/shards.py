"""Shards: ranges of post ids that together are every post, and the processes that work on them.

A post's events are all in one shard, so that shards know nothing of each other: they are worked on
in any order, by any number of processes, and none holds more than a batch of events in memory.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar
from uuid import UUID

import anyio
from anyio import CapacityLimiter, to_process
from msgspec import Struct
from psycopg import AsyncConnection, sql
from psycopg.rows import scalar_row

EVENTS_PER_SHARD: Final = 10_000
_SAMPLED_IDS: Final = 20_000
_LOWEST, _HIGHEST = UUID(int=0), UUID(int=2**128 - 1)

# Whole pages, so that it costs what it returns, however long the log is.
_SAMPLE: Final = """
SELECT originator_id FROM post_events TABLESAMPLE SYSTEM ({percent}) ORDER BY originator_id
"""

Work = TypeVar("Work")
Result = TypeVar("Result")


class Shard(Struct, frozen=True):
    """The posts from one id to another, both included."""

    first: UUID = _LOWEST
    last: UUID = _HIGHEST

    def holds(self, column: str) -> sql.Composed:
        """The condition that a row's post is one of these."""
        return sql.SQL("{} BETWEEN {} AND {}").format(sql.Identifier(column), self.first, self.last)


class Posts(Struct, frozen=True):
    """Some posts, named one by one."""

    ids: frozenset[UUID]

    def holds(self, column: str) -> sql.Composed:
        """The condition that a row's post is one of these."""
        return sql.SQL("{} = ANY ({})").format(sql.Identifier(column), sorted(self.ids))


EVERY_POST: Final = Shard()


async def shards_of_log(connection: AsyncConnection[object], events: int) -> list[Shard]:
    """Divide the posts so that each shard has some `EVENTS_PER_SHARD` of so many events."""
    number = -(-events // EVENTS_PER_SHARD)
    if number <= 1:
        return [EVERY_POST]
    percent = min(100.0, 100 * _SAMPLED_IDS / events)
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql.SQL(_SAMPLE).format(percent=percent))
        ids: list[UUID] = await cursor.fetchall()
    starts = sorted({ids[len(ids) * at // number] for at in range(1, number)}) if ids else []
    ends = [UUID(int=start.int - 1) for start in starts]
    return [Shard(*ends_of) for ends_of in zip([_LOWEST, *starts], [*ends, _HIGHEST], strict=True)]


async def work_on(
    works: Sequence[Work],
    do: Callable[[Work], Awaitable[Result]],
    *,
    workers: int,
    done: Callable[[Result], None],
) -> None:
    """Do all works in so many processes, or in this one if that is one; `done` hears of each.

    Raises:
        BrokenWorkerProcess: a process was killed from outside.
        Exception: the first that any of them met; the others are ended.
    """
    if min(workers, len(works)) <= 1:
        for work in works:
            done(await do(work))
        return
    processes = CapacityLimiter(workers)

    async def do_elsewhere(work: Work) -> None:
        done(await to_process.run_sync(anyio.run, do, work, cancellable=True, limiter=processes))

    try:
        async with anyio.create_task_group() as tasks:
            for work in works:
                tasks.start_soon(do_elsewhere, work)
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
