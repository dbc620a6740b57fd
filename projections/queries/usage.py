"""Usage: how much of the service one user takes up, for quotas and for the user.

It is as fresh as the `usage` projection, which no write waits for: a second behind, as a rule.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection

from domain.post import Status
from projections.connection import fetch_all, fetch_one

UPLOADS_WITHIN: Final = timedelta(hours=24)

# A deleted post has no original left; one that is pending has none yet.
_BY_STATUS: Final = """
SELECT status, count(*) AS posts,
       coalesce(sum(file_size) FILTER (
           WHERE uploaded_at IS NOT NULL AND status <> 'deleted'
       ), 0)::bigint AS original_bytes,
       sum(variant_bytes)::bigint AS variant_bytes,
       count(*) FILTER (WHERE uploaded_at > %(since)s AND uploaded_at <= %(at)s) AS uploads
FROM usage_posts WHERE user_id = %(user_id)s
GROUP BY status ORDER BY status
"""

_RECENT: Final = """
SELECT count(*) FILTER (WHERE status = 'pending') AS open_uploads,
       count(*) FILTER (WHERE uploaded_at > %(since)s) AS uploads,
       coalesce(sum(file_size) FILTER (
           WHERE status = 'pending' OR uploaded_at > %(since)s
       ), 0)::bigint AS announced_bytes
FROM usage_posts WHERE user_id = %(user_id)s
"""


class RecentUsage(Struct, frozen=True, kw_only=True):
    """One user's open uploads, uploads of the last 24 hours, and the bytes of both.

    What was uploaded counts although it is deleted.
    """

    open_uploads: int
    uploads: int
    announced_bytes: int


class Usage(Struct, frozen=True, kw_only=True):
    """One user's posts by status, bytes in the object store, and uploads of the last 24 hours.

    Deleted posts are counted among `posts` and `recent_uploads`, and have no bytes.
    """

    posts: dict[Status, int]
    original_bytes: int
    variant_bytes: int
    recent_uploads: int


class _StatusSums(Struct, frozen=True):
    status: Status
    posts: int
    original_bytes: int
    variant_bytes: int
    uploads: int


async def usage_of(connection: AsyncConnection[object], user_id: UUID, *, at: datetime) -> Usage:
    """The usage of one user, all zero for a user without posts.

    It costs one scan of an index that is as long as the user has posts.
    """
    parameters = {"user_id": user_id, "since": at - UPLOADS_WITHIN, "at": at}
    sums = await fetch_all(connection, _StatusSums, _BY_STATUS, parameters)
    return Usage(
        posts={each.status: each.posts for each in sums},
        original_bytes=sum(each.original_bytes for each in sums),
        variant_bytes=sum(each.variant_bytes for each in sums),
        recent_uploads=sum(each.uploads for each in sums),
    )


async def recent_usage_of(
    connection: AsyncConnection[object], user_id: UUID, *, at: datetime
) -> RecentUsage:
    """The usage that quotas bound, at the same cost as `usage_of`."""
    parameters = {"user_id": user_id, "since": at - UPLOADS_WITHIN}
    usage = await fetch_one(connection, RecentUsage, _RECENT, parameters)
    assert usage is not None  # noqa: S101 - an aggregate has a row
    return usage
