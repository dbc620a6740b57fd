"""Status: the position and lag of each projection, its leader, and what stopped it."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

import anyio
from msgspec import Struct
from msgspec.structs import replace
from psycopg import AsyncConnection

from projections.connection import fetch_all
from projections.follow.leadership import RUNNER_LOCK
from projections.follow.projection import Projection

# Long enough for a rate at live load, short enough to wait for on a terminal.
RATE_SECONDS: Final = 1.0

_STATUS: Final = """
SELECT tracking.projection, tracking.position, head.position AS head,
       head.position - tracking.position AS lag_events,
       coalesce(greatest(extract(epoch FROM now() - (
           SELECT event_recorded_at(state)
           FROM post_events WHERE notification_id > tracking.position
           ORDER BY notification_id LIMIT 1
       )), 0), 0)::float8 AS lag_seconds,
       NULL::float8 AS events_per_second,
       runner.application_name || ' pid ' || runner.pid AS running_where,
       failure.position AS stopped_at, failure.error AS last_error, failure.failed_at,
       (SELECT count(*) FROM projection_skips AS skip
        WHERE skip.projection = tracking.projection) AS skipped_events
FROM projection_positions AS tracking
CROSS JOIN (SELECT coalesce(max(notification_id), 0) AS position FROM post_events) AS head
LEFT JOIN projection_failures AS failure
    ON failure.projection = tracking.projection AND failure.position > tracking.position
LEFT JOIN pg_locks AS held
    ON held.locktype = 'advisory' AND held.granted AND held.objsubid = 2
   AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND held.classid = %(kind)s::oid
   AND held.objid::bigint = (hashtext(tracking.projection)::bigint & 4294967295)
LEFT JOIN pg_stat_activity AS runner ON runner.pid = held.pid
WHERE tracking.projection = ANY (%(projections)s)
ORDER BY tracking.projection
"""


class Status(Struct, frozen=True, kw_only=True):
    """One projection: `lag_seconds` is the age of the oldest event that it has not projected.

    `events_per_second` is null unless it was measured; `running_where` while no runner leads.
    """

    projection: str
    position: int
    head: int
    lag_events: int
    lag_seconds: float
    events_per_second: float | None
    running_where: str | None
    stopped_at: int | None
    last_error: str | None
    failed_at: datetime | None
    skipped_events: int


async def statuses(
    connection: AsyncConnection[object], projections: Iterable[Projection]
) -> list[Status]:
    """The status of each of these projections that the database knows, by name."""
    names = [projection.name for projection in projections]
    parameters = {"kind": RUNNER_LOCK, "projections": names}
    return await fetch_all(connection, Status, _STATUS, parameters)


async def measured_statuses(
    connection: AsyncConnection[object], projections: Collection[Projection]
) -> list[Status]:
    """As `statuses`, with the rate measured for `RATE_SECONDS`."""
    earlier = {one.projection: one.position for one in await statuses(connection, projections)}
    await anyio.sleep(RATE_SECONDS)
    return [_with_rate(one, earlier) for one in await statuses(connection, projections)]


def _with_rate(status: Status, earlier: dict[str, int]) -> Status:
    advanced = status.position - earlier.get(status.projection, status.position)
    return replace(status, events_per_second=advanced / RATE_SECONDS)
