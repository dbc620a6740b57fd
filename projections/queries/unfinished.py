"""Unfinished posts: waiting, running, failed or forgotten, with the job behind each."""

from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection

from projections.connection import fetch_all

State: TypeAlias = Literal["waiting", "running", "failed", "forgotten"]

# Pages start after a post, not at an offset: posts that end between two pages shift no other.
_UNFINISHED: Final = """
SELECT * FROM (
    SELECT posts.id AS post_id, posts.user_id, posts.updated_at AS since,
           CASE WHEN posts.status = 'failed' THEN 'failed' WHEN job.status = 'todo' THEN 'waiting'
                WHEN job.status = 'doing' THEN 'running' ELSE 'forgotten' END AS state,
           coalesce(failed.attempt, job.attempts + (job.status = 'doing')::integer, 0) AS attempts,
           job.scheduled_at AS next_attempt_at,
           coalesce(posts.failure_code, job.last_failure) AS code, posts.failure_message AS message
    FROM posts LEFT JOIN LATERAL (
        SELECT status::text, attempts, scheduled_at, args ->> 'last_failure' AS last_failure
        FROM procrastinate_jobs
        WHERE lock = job_lock(posts.id) AND task_name = 'post.transcode'
          AND status IN ('todo', 'doing')
        ORDER BY id DESC LIMIT 1
    ) AS job ON true LEFT JOIN LATERAL (
        SELECT event_field(state, 'attempt')::integer AS attempt FROM post_events
        WHERE originator_id = posts.id AND topic = 'post.failed'
        ORDER BY originator_version DESC LIMIT 1
    ) AS failed ON posts.status = 'failed'
    WHERE posts.status IN ('processing', 'failed')
      AND (%(post_id)s::uuid IS NULL OR posts.id = %(post_id)s)
      AND (%(since)s::timestamptz IS NULL OR posts.updated_at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR posts.updated_at < %(until)s)
      AND (posts.updated_at, posts.id) > (%(after_at)s, %(after_id)s)
) AS unfinished
WHERE (%(state)s::text IS NULL OR state = %(state)s)
  AND (%(code)s::text IS NULL OR code = %(code)s)
ORDER BY since, post_id
LIMIT %(limit)s
"""
_BEFORE_ALL: Final = (datetime.min.replace(tzinfo=UTC), UUID(int=0))


class UnfinishedPost(Struct, frozen=True, kw_only=True):
    """A post that is not published: `since` is its last event, `attempts` include a running one.

    `code` is that of its failure, or of its last attempt's if another one follows; only failed
    posts have a `message`. A `forgotten` post has no job; a periodic duty queues it again.
    """

    post_id: UUID
    user_id: UUID
    state: State
    since: datetime
    attempts: int
    next_attempt_at: datetime | None
    code: str | None
    message: str | None


class UnfinishedFilter(Struct, frozen=True, kw_only=True):
    """Unfinished posts to find; None selects all."""

    post_id: UUID | None = None
    state: State | None = None
    since: datetime | None = None
    until: datetime | None = None
    code: str | None = None


async def unfinished_posts(
    connection: AsyncConnection[object],
    wanted: UnfinishedFilter,
    *,
    limit: int,
    after: UnfinishedPost | None = None,
) -> list[UnfinishedPost]:
    """Up to `limit` of these posts, oldest first; `after` is the last one of the page before."""
    after_at, after_id = (after.since, after.post_id) if after else _BEFORE_ALL
    parameters = {
        "post_id": wanted.post_id,
        "state": wanted.state,
        "since": wanted.since,
        "until": wanted.until,
        "code": wanted.code,
        "after_at": after_at,
        "after_id": after_id,
        "limit": limit,
    }
    return await fetch_all(connection, UnfinishedPost, _UNFINISHED, parameters)
