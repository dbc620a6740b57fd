"""Audit statistics: counts over the log, from the `audit` projection."""

from datetime import datetime
from typing import Final, LiteralString

from msgspec import Struct
from psycopg import AsyncConnection

from projections.connection import fetch_one
from projections.tables.audit_posts import EVENT_COUNTS

# Names of fields are as literal as the rest.
_SUMS: Final[LiteralString] = ", ".join(f"'post.{name}', sum({name})" for name in EVENT_COUNTS)  # pyright: ignore[reportAssignmentType]
# One pass over the posts; the log itself is asked for its first and its last event only.
_STATS: Final[LiteralString] = f"""
WITH by_status AS MATERIALIZED (
    SELECT status, count(*) AS posts, jsonb_build_object({_SUMS}) AS events
    FROM audit_posts GROUP BY status
), by_type AS MATERIALIZED (
    SELECT topic, sum(count::bigint) AS events
    FROM by_status, jsonb_each_text(events) AS each (topic, count)
    GROUP BY topic HAVING sum(count::bigint) > 0
)
SELECT
    (SELECT coalesce(sum(events), 0)::bigint FROM by_type) AS events,
    (SELECT coalesce(jsonb_object_agg(topic, events), '{{}}') FROM by_type) AS events_by_type,
    (SELECT coalesce(jsonb_object_agg(status, posts), '{{}}') FROM by_status) AS posts_by_status,
    (SELECT position FROM projection_positions WHERE projection = 'audit') AS counted_up_to,
    first.position AS first_position, first.recorded_at AS first_recorded_at,
    last.position AS last_position, last.recorded_at AS last_recorded_at,
    (SELECT count(*) FROM audit_accesses) AS accesses
FROM (SELECT) AS always
LEFT JOIN (
    SELECT notification_id AS position, event_recorded_at(state) AS recorded_at
    FROM post_events ORDER BY notification_id LIMIT 1
) AS first ON true
LEFT JOIN (
    SELECT notification_id AS position, event_recorded_at(state) AS recorded_at
    FROM post_events ORDER BY notification_id DESC LIMIT 1
) AS last ON true
"""


class AuditStats(Struct, frozen=True, kw_only=True):
    """Counts over the log up to position `counted_up_to`, which is usually the last one."""

    events: int
    events_by_type: dict[str, int]
    posts_by_status: dict[str, int]
    counted_up_to: int
    first_position: int | None
    first_recorded_at: datetime | None
    last_position: int | None
    last_recorded_at: datetime | None
    accesses: int


async def audit_stats(connection: AsyncConnection[object]) -> AuditStats:
    """Count everything in one statement, so at one moment."""
    stats = await fetch_one(connection, AuditStats, _STATS)
    assert stats is not None  # noqa: S101 - an aggregate always has a row
    return stats
