"""Posts as readers see them: one statement per query of the API.

Users see their own posts in every status, and those of others only when published.
"""

from datetime import datetime
from typing import Final, LiteralString, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import scalar_row

from domain.formats import ContentType
from domain.post import ReadableStatus
from domain.recipes import VariantName
from projections.connection import fetch_one
from projections.tables.post_images import ImageRow
from projections.tables.posts import PostRow

# Rows as JSON decode into Structs at once: column by column takes three times as long.
_WITH_IMAGES_AND_COUNTERS: Final[LiteralString] = """
SELECT to_json(post)::text FROM (
    SELECT page.*,
           coalesce(like_count, 0) AS like_count,
           coalesce(comment_count, 0) AS comment_count,
           coalesce(view_count, 0) AS view_count,
    (
        SELECT coalesce(json_object_agg(variant, to_json(post_images)), '{}')
        FROM post_images WHERE post_images.post_id = page.id
    ) AS images,
    (
        SELECT expires_at FROM upload_sessions
        WHERE upload_sessions.post_id = page.id AND upload_sessions.status = 'open'
    ) AS upload_expires_at
    FROM page LEFT JOIN post_metadata ON post_metadata.post_id = page.id
) AS post
ORDER BY post.created_at DESC, post.id DESC
"""
_ONE: Final[LiteralString] = f"""
WITH page AS (
    SELECT * FROM posts
    WHERE id = %(post_id)s AND (status = 'published' OR user_id = %(reader_id)s)
)
{_WITH_IMAGES_AND_COUNTERS}
"""
_BEFORE: Final[LiteralString] = """
(created_at, id) < (
    coalesce(%(before_at)s, 'infinity'::timestamptz),
    coalesce(%(before_id)s, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
)
"""
_NEWEST_FIRST: Final[LiteralString] = "ORDER BY created_at DESC, id DESC LIMIT %(limit)s"
_STATUS: Final[LiteralString] = "(%(status)s::text IS NULL OR status = %(status)s)"
_OF_READER: Final[LiteralString] = f"""
WITH page AS (
    SELECT * FROM posts
    WHERE user_id = %(reader_id)s AND {_STATUS} AND {_BEFORE} {_NEWEST_FIRST}
)
{_WITH_IMAGES_AND_COUNTERS}
"""
_OF_OTHER_USER: Final[LiteralString] = f"""
WITH page AS (
    SELECT * FROM posts
    WHERE user_id = %(user_id)s AND status = 'published' AND {_STATUS} AND {_BEFORE}
    {_NEWEST_FIRST}
)
{_WITH_IMAGES_AND_COUNTERS}
"""
_OF_ALL_USERS: Final[LiteralString] = f"""
WITH page AS (
    SELECT * FROM (
        (SELECT * FROM posts
         WHERE status = 'published' AND {_STATUS} AND {_BEFORE} {_NEWEST_FIRST})
        UNION ALL
        (SELECT * FROM posts
         WHERE user_id = %(reader_id)s AND status <> 'published' AND {_STATUS} AND {_BEFORE}
         {_NEWEST_FIRST})
    ) AS visible
    {_NEWEST_FIRST}
)
{_WITH_IMAGES_AND_COUNTERS}
"""
_SAME_PHOTO: Final[LiteralString] = """
SELECT posts.id FROM posts JOIN upload_sessions ON upload_sessions.post_id = posts.id
WHERE posts.user_id = %(user_id)s AND posts.created_at > %(since)s
  AND upload_sessions.sha256 = %(sha256)s AND upload_sessions.content_type = %(content_type)s
  AND posts.status <> 'failed'
  AND (upload_sessions.status = 'completed' OR upload_sessions.expires_at > %(usable_at)s)
ORDER BY posts.created_at DESC LIMIT 1
"""
_IMAGE: Final[LiteralString] = """
SELECT * FROM post_images WHERE key = %(key)s
"""


_LAG: Final[LiteralString] = """
SELECT head.position AS head, tracking.position AS position,
       head.position - tracking.position AS events
FROM projection_positions AS tracking,
     (SELECT coalesce(max(notification_id), 0) AS position FROM post_events) AS head
WHERE tracking.projection = %(projection)s
"""


class Lag(Struct, frozen=True, kw_only=True):
    """The positions of the log's head and of a projection, and how many positions lie between."""

    head: int
    position: int
    events: int


Image: TypeAlias = ImageRow


class ReadablePost(PostRow, frozen=True, kw_only=True):
    """A row of `posts` with its images so far, its counters, and when an open upload expires."""

    upload_expires_at: datetime | None
    like_count: int
    comment_count: int
    view_count: int
    images: dict[VariantName, Image]


_POST: Final = msgspec.json.Decoder(ReadablePost)


class PageStart(Struct, frozen=True, array_like=True):
    """The start of a page: the next older post than this one."""

    before_at: datetime
    before_id: UUID


class PostFilter(Struct, frozen=True, kw_only=True):
    """Posts that a reader wants to see; None selects all."""

    reader_id: UUID
    user_id: UUID | None = None
    status: ReadableStatus | None = None


async def get_post(
    connection: AsyncConnection[object], post_id: UUID, *, reader_id: UUID
) -> ReadablePost | None:
    """One post; None if there is none that this reader may see."""
    posts = await _posts(connection, _ONE, {"post_id": post_id, "reader_id": reader_id})
    return posts[0] if posts else None


async def list_posts(
    connection: AsyncConnection[object],
    wanted: PostFilter,
    *,
    limit: int,
    start: PageStart | None = None,
) -> list[ReadablePost]:
    """Up to `limit` posts that the reader may see, newest first, from `start` on."""
    parameters = {
        **msgspec.structs.asdict(wanted),
        "limit": limit,
        "before_at": start.before_at if start else None,
        "before_id": start.before_id if start else None,
    }
    return await _posts(connection, _listing(wanted), parameters)


class SamePhoto(Struct, frozen=True, kw_only=True):
    """A photo to find among a user's posts since a time; `sha256` in hex.

    Its upload is completed, or open until after `usable_at`.
    """

    user_id: UUID
    sha256: str
    content_type: ContentType
    since: datetime
    usable_at: datetime


async def find_same_photo(connection: AsyncConnection[object], photo: SamePhoto) -> UUID | None:
    """The newest post of the photo that has not failed, or None."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_SAME_PHOTO, msgspec.structs.asdict(photo), prepare=True)
        found: UUID | None = await cursor.fetchone()
        return found


async def get_image(connection: AsyncConnection[object], key: str) -> Image | None:
    """The variant of a readable post that is stored under `key`, or None."""
    return await fetch_one(connection, Image, _IMAGE, {"key": key})


async def projection_lag(connection: AsyncConnection[object], projection: str) -> Lag:
    """How far a projection has followed the log."""
    lag = await fetch_one(connection, Lag, _LAG, {"projection": projection})
    assert lag is not None  # noqa: S101 - migrations give each projection a position
    return lag


def _listing(wanted: PostFilter) -> LiteralString:
    if wanted.user_id is None:
        return _OF_ALL_USERS
    return _OF_READER if wanted.user_id == wanted.reader_id else _OF_OTHER_USER


async def _posts(
    connection: AsyncConnection[object], statement: LiteralString, parameters: dict[str, object]
) -> list[ReadablePost]:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(statement, parameters, prepare=True)
        return [_POST.decode(row) for row in await cursor.fetchall()]
