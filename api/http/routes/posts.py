"""Posts: read, list, delete and retry."""

import base64
import binascii
import hashlib
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response.base import ASGIResponse
from litestar.status_codes import HTTP_202_ACCEPTED
from litestar.types import ASGIApp

from api.http.authentication.requests import AuthenticatedRequest, command_origin
from api.http.errors import InvalidCursor
from api.http.openapi import json_response, problem_responses
from api.http.resources import UseResources
from api.http.routes.responses import matches_etag, respond_accepted
from api.http.schemas.posts import PostAccepted, PostPage, PostView, view_of
from domain.commands import DeletePost, RetryPost
from domain.errors import PostNotFound
from domain.post import ReadableStatus
from projections.queries.posts import (
    PageStart,
    PostFilter,
    ReadablePost,
    get_post,
    list_posts,
)

MAX_PAGE: Final = 100
DEFAULT_PAGE: Final = 20
# The reader's own browser may cache a response, but revalidates it every time.
CACHE_CONTROL: Final = "private, no-cache"


@get("/posts/{post_id:uuid}", responses={**json_response(PostView), **problem_responses(404)})
async def read_post(
    post_id: FromPath[UUID], request: AuthenticatedRequest, resources: UseResources
) -> ASGIApp:
    """Read a post with the variants that are ready. Send `If-None-Match` to poll cheaply."""
    async with resources.connections.connection() as connection:
        row = await get_post(connection, post_id, reader_id=request.user.id)
    if row is None:
        raise PostNotFound(post_id)
    content = msgspec.json.encode(view_of(row, media_url=resources.media_url(request)))
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": CACHE_CONTROL}
    if matches_etag(request, etag):
        return ASGIResponse(status_code=304, headers=headers)
    return ASGIResponse(body=content, media_type="application/json", headers=headers)


@get("/posts", responses=problem_responses())
async def read_posts(
    request: AuthenticatedRequest,
    resources: UseResources,
    user_id: FromQuery[UUID | None] = None,
    status: FromQuery[ReadableStatus | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE,
    cursor: Annotated[str | None, QueryParameter(max_length=200)] = None,
) -> PostPage:
    """List posts, newest first: your own in every status, and those that others published."""
    post_filter = PostFilter(reader_id=request.user.id, user_id=user_id, status=status)
    start = _page_start(cursor) if cursor else None
    async with resources.connections.connection() as connection:
        rows = await list_posts(connection, post_filter, limit=limit + 1, start=start)
    page = rows[:limit]
    media_url = resources.media_url(request)
    return PostPage(
        items=[view_of(row, media_url=media_url) for row in page],
        next_cursor=_cursor(page[-1]) if len(rows) > limit else None,
    )


@delete("/posts/{post_id:uuid}", responses=problem_responses(404, 503))
async def delete_post(
    post_id: FromPath[UUID], request: AuthenticatedRequest, resources: UseResources
) -> None:
    """Delete your own post. It disappears from every read at once."""
    await resources.writer.execute(
        DeletePost(origin=command_origin(request), post_id=post_id, user_id=request.user.id)
    )


@post(
    "/posts/{post_id:uuid}/retry",
    status_code=HTTP_202_ACCEPTED,
    responses=problem_responses(404, 409, 503),
)
async def retry_post(
    post_id: FromPath[UUID], request: AuthenticatedRequest, resources: UseResources
) -> Response[PostAccepted]:
    """Retry your own failed post without uploading the photo again."""
    outcome = await resources.writer.execute(
        RetryPost(origin=command_origin(request), post_id=post_id, user_id=request.user.id),
        queue_capacity=resources.settings.uploads.queue_capacity,
    )
    return respond_accepted(outcome.post)


def _cursor(row: ReadablePost) -> str:
    start = PageStart(before_at=row.created_at, before_id=row.id)
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(start)).decode().rstrip("=")


def _page_start(cursor: str) -> PageStart:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        return msgspec.msgpack.decode(raw, type=PageStart)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise InvalidCursor from error


posts_router = Router("/", route_handlers=[read_post, read_posts, delete_post, retry_post])
