"""Audit statistics: counts over the log, taken by the database."""

from datetime import datetime
from typing import Final, LiteralString

from msgspec import Struct
from psycopg import AsyncConnection

from projections.connection import fetch_one

_STATS: Final[LiteralString] = """
SELECT
    (SELECT count(*) FROM post_events) AS events,
    (SELECT coalesce(jsonb_object_agg(topic, count), '{}') FROM (
        SELECT topic, count(*) FROM post_events GROUP BY topic
    ) AS each_topic) AS events_by_type,
    (SELECT coalesce(jsonb_object_agg(status, count), '{}') FROM (
        SELECT status, count(*) FROM posts GROUP BY status
        UNION ALL
        SELECT 'deleted', count(*) FROM post_events WHERE topic = 'post.deleted'
    ) AS each_status) AS posts_by_status,
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
    """Counts over the log; posts by status as in the read tables, and deleted posts."""

    events: int
    events_by_type: dict[str, int]
    posts_by_status: dict[str, int]
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
