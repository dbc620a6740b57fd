"""Verify: compares the read tables with a fold of the log, at one position.

Both sides are read post by post, in the order of ids, from one snapshot: memory holds one post. The
posts are divided into shards for one or several processes, which share that snapshot.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing
from functools import partial

from msgspec import Struct
from msgspec.structs import replace
from psycopg import AsyncConnection, sql

from projections.connection import ONE_SNAPSHOT, Origin, connected_like, fetch_value, origin_of
from projections.follow.batch import tracking_position
from projections.follow.failures import skipped_positions
from projections.follow.projection import Projection
from projections.log.histories import Scope, histories
from projections.log.shards import map_in_processes, shards_of_log
from projections.rebuild.comparison import Difference, TableComparison, TableReport


class Compared(Struct, frozen=True, kw_only=True):
    """The outcome of comparing some posts: events folded, both sides by table, differences."""

    events: int
    tables: list[TableReport]
    differences: list[Difference]


class Until(Struct, frozen=True):
    """Which events count: those up to a position, without skipped ones."""

    position: int
    left_out: frozenset[int] = frozenset()


class Differs(Exception):
    """Tables are not the fold of the log."""

    def __init__(self, name: str, differences: list[Difference]) -> None:
        super().__init__(f"{name} differs from the log in {len(differences)} rows")
        self.name = name
        self.differences = differences


class Verification(Compared, frozen=True, kw_only=True):
    """The outcome of comparing all posts of a projection at its position."""

    projection: str
    position: int
    skipped_events: int


async def verify(
    connection: AsyncConnection[object],
    projection: Projection,
    *,
    honour_skips: bool = True,
    workers: int = 1,
    report: Callable[[int], None] = lambda _: None,
) -> Verification:
    """Compare the tables of a projection with the events up to its position.

    Args:
        connection: not inside a transaction; its search path decides which tables are compared.
        projection: what to verify.
        honour_skips: leave out the events that operators skipped.
        workers: processes that share the work.
        report: called with the number of events folded so far.

    Raises:
        UnreadableEvent: an event up to there is unreadable and was not skipped.
        UnknownProjection: the migrations have not been run.
    """
    async with connection.transaction():
        await connection.execute(ONE_SNAPSHOT)
        position = await tracking_position(connection, projection)
        skips = await skipped_positions(connection, projection.name) if honour_skips else set()
        shards = await shards_of_log(connection, position)
        found = Verification(
            projection=projection.name,
            position=position,
            skipped_events=len(skips),
            events=0,
            tables=[TableReport(table=table.name) for table in projection.tables],
            differences=[],
        )

        def note(compared: Compared) -> None:
            nonlocal found
            found = _together(found, compared)
            report(found.events)

        until = Until(position, frozenset(skips))
        compare_shard = partial(compare, connection, projection, until)
        if workers > 1:
            snapshot = str(await fetch_value(connection, "SELECT pg_export_snapshot()"))
            origin = await origin_of(connection)
            compare_shard = partial(_compare_in_process, origin, snapshot, projection, until)
        await map_in_processes(compare_shard, shards, workers=workers, collect=note)
    return found


async def _compare_in_process(
    origin: Origin, snapshot: str, projection: Projection, until: Until, scope: Scope
) -> Compared:
    async with connected_like(origin) as connection, connection.transaction():
        await connection.execute(ONE_SNAPSHOT)
        await connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))
        return await compare(connection, projection, until, scope)


async def compare(
    connection: AsyncConnection[object], projection: Projection, until: Until, scope: Scope
) -> Compared:
    """Compare the rows of some posts, inside the caller's transaction.

    Raises:
        UnreadableEvent: one of their events is unreadable and not left out.
    """
    async with AsyncExitStack() as streams:
        tables = [TableComparison(connection, table, scope) for table in projection.tables]
        for table in tables:
            await streams.enter_async_context(aclosing(table.rows))
        differences: list[Difference] = []
        events = 0
        posts = histories(connection, scope, position=until.position, left_out=until.left_out)
        async with aclosing(posts):
            async for post_id, history in posts:
                events += len(history)
                expected = projection.expected_rows(history)
                for table, rows in zip(tables, expected, strict=True):
                    differences += await table.compare(post_id, rows)
        for table in tables:
            differences += await table.finish()
        reports = [table.report for table in tables]
        return Compared(events=events, tables=reports, differences=differences)


def _together(found: Verification, compared: Compared) -> Verification:
    for report, more in zip(found.tables, compared.tables, strict=True):
        report.add(more)
    return replace(
        found,
        events=found.events + compared.events,
        differences=found.differences + compared.differences,
    )
