"""The swap: replaces the live tables by the rebuilt ones in one short transaction.

Reads wait for an instant, the projector for the last few events. If a long transaction holds a
table, the swap gives up its locks and retries, so that reads never queue behind it.
"""

from typing import Final

import psycopg
from psycopg import AsyncConnection, sql

from projections.connection import fetch_values
from projections.follow.batch import UnknownProjection, project_batch
from projections.follow.projection import Projection
from projections.log.shards import Posts
from projections.rebuild.schema import add_missing_rows, adopt_tables
from projections.rebuild.verify import Differs, Until, compare

# The longest that reads wait behind a swap that waits for a long transaction.
LOCK_TIMEOUT: Final = "500ms"
# Ten seconds of waiting for locks: longer than any statement of ours may run.
ATTEMPTS: Final = 20
# Followed while the projector waits: some 0.1 s. With more to come, the swap first catches up.
LAST_EVENTS: Final = 2000

_CLAIM_LIVE: Final = """
SELECT position FROM {live}.projection_positions WHERE projection = {name} FOR UPDATE
"""
_ADVANCE_LIVE: Final = """
UPDATE {live}.projection_positions SET position = {position}, updated_at = now()
WHERE projection = {name}
"""
# The rebuild has projected the event that stopped the projection.
_CLEAR_FAILURE: Final = """
DELETE FROM {live}.projection_failures WHERE projection = {name} AND position <= {position}
"""
_POSTS_BETWEEN: Final = """
SELECT DISTINCT originator_id FROM post_events
WHERE notification_id > {after} AND notification_id <= {until}
"""


class NeverCaughtUp(Exception):
    """At every attempt to swap, too many events were still to come."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"events arrive faster than the rebuild of {name} follows: run it at a quieter time"
        )
        self.name = name


async def swap(
    connection: AsyncConnection[object],
    projection: Projection,
    schema: str,
    *,
    live: str,
    verified: int,
) -> int:
    """Follow and verify everything after the position `verified`, then swap.

    Raises:
        Differs: rows of the last events differ from the log.
        NeverCaughtUp: events arrive too fast.
        psycopg.Error: the tables were never free, or a statement failed.
    """
    for attempts_left in reversed(range(ATTEMPTS)):
        while (batch := await project_batch(connection, projection)).events:
            pass
        async with connection.transaction():
            await _verify_between(connection, projection, verified, batch.position)
        verified = batch.position
        try:
            position = await _swap(connection, projection, schema, live, verified)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if not attempts_left:
                raise
            continue
        if position is not None:
            return position
    raise NeverCaughtUp(projection.name)


async def _swap(
    connection: AsyncConnection[object],
    projection: Projection,
    schema: str,
    live: str,
    verified: int,
) -> int | None:
    names: dict[str, sql.Composable] = {"live": sql.Identifier(live)}
    names["name"] = sql.Literal(projection.name)
    async with connection.transaction() as transaction:
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        claimed = await connection.execute(sql.SQL(_CLAIM_LIVE).format(**names))
        if await claimed.fetchone() is None:
            raise UnknownProjection(projection.name)
        # The row lock holds the live position where it is.
        batch = await project_batch(connection, projection, limit=LAST_EVENTS)
        if batch.events == LAST_EVENTS:
            raise psycopg.Rollback(transaction)
        await _verify_between(connection, projection, verified, batch.position)
        await add_missing_rows(connection, projection, schema, live=live)
        names["position"] = sql.Literal(batch.position)
        await connection.execute(sql.SQL(_ADVANCE_LIVE).format(**names))
        await connection.execute(sql.SQL(_CLEAR_FAILURE).format(**names))
        await adopt_tables(connection, projection, schema, live=live)
        return batch.position
    return None


async def _verify_between(
    connection: AsyncConnection[object], projection: Projection, after: int, until: int
) -> None:
    query = sql.SQL(_POSTS_BETWEEN).format(after=after, until=until)
    posts = Posts(frozenset(await fetch_values(connection, query)))
    if posts.ids:
        found = await compare(connection, projection, Until(until), posts)
        if found.differences:
            raise Differs(projection.name, found.differences)
