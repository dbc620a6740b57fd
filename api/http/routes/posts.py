"""Posts: read one, list them newest first, delete one's own."""

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

from api.http.authentication.requests import AuthenticatedRequest, matches_etag, origin_of
from api.http.errors import InvalidCursor
from api.http.openapi import answer, being_published, problem_responses
from api.http.resources import UseServices
from api.http.schemas.posts import FailureView, ImageView, PostPage, PostView, UploadCompleted
from domain.commands import DeletePost, RetryPost
from domain.errors import PostNotFound
from domain.post import ReadableStatus
from domain.recipes import VariantName
from projections.queries.posts import (
    PageStart,
    PostFilter,
    ReadablePost,
    get_post,
    list_posts,
)

MAX_PAGE: Final = 100
DEFAULT_PAGE: Final = 20
# The reader's own browser may keep an answer, and asks each time whether it still holds.
CACHE_CONTROL: Final = "private, no-cache"
# Fields of the answer that are columns of the row, under the same names.
_FROM_ROW: Final = tuple(
    name for name in PostView.__struct_fields__ if name not in {"images", "failure"}
)


@get("/posts/{post_id:uuid}", responses={**answer(PostView), **problem_responses(404)})
async def read_post(
    post_id: FromPath[UUID], request: AuthenticatedRequest, services: UseServices
) -> ASGIApp:
    """A post with the variants that are ready. `If-None-Match` spares sending it again."""
    async with services.connections.connection() as connection:
        row = await get_post(connection, post_id, reader_id=request.user.id)
    if row is None:
        raise PostNotFound(post_id)
    content = msgspec.json.encode(_view(row, media_url=services.media_url(request)))
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": CACHE_CONTROL}
    if matches_etag(request, etag):
        return ASGIResponse(status_code=304, headers=headers)
    return ASGIResponse(body=content, media_type="application/json", headers=headers)


@get("/posts", responses=problem_responses())
async def read_posts(
    request: AuthenticatedRequest,
    services: UseServices,
    user_id: FromQuery[UUID | None] = None,
    status: FromQuery[ReadableStatus | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE,
    cursor: Annotated[str | None, QueryParameter(max_length=200)] = None,
) -> PostPage:
    """The posts that one may see, newest first: one's own in every status, others' published."""
    asked = PostFilter(reader_id=request.user.id, user_id=user_id, status=status)
    start = _page_start(cursor) if cursor else None
    async with services.connections.connection() as connection:
        rows = await list_posts(connection, asked, limit=limit + 1, start=start)
    page = rows[:limit]
    media_url = services.media_url(request)
    return PostPage(
        items=[_view(row, media_url=media_url) for row in page],
        next_cursor=_cursor(page[-1]) if len(rows) > limit else None,
    )


@delete("/posts/{post_id:uuid}", responses=problem_responses(404, 503))
async def delete_post(
    post_id: FromPath[UUID], request: AuthenticatedRequest, services: UseServices
) -> None:
    """Delete one's own post; it is gone from every read at once."""
    await services.writer.execute(
        DeletePost(origin=origin_of(request), post_id=post_id, user_id=request.user.id)
    )


@post(
    "/posts/{post_id:uuid}/retry",
    status_code=HTTP_202_ACCEPTED,
    responses=problem_responses(404, 409, 503),
)
async def retry_post(
    post_id: FromPath[UUID], request: AuthenticatedRequest, services: UseServices
) -> Response[UploadCompleted]:
    """Try one's own failed photo once more, without uploading it again."""
    outcome = await services.writer.execute(
        RetryPost(origin=origin_of(request), post_id=post_id, user_id=request.user.id),
        queue_capacity=services.settings.uploads.queue_capacity,
    )
    return being_published(outcome.post)


def _view(row: ReadablePost, *, media_url: str) -> PostView:
    images: dict[VariantName, ImageView] = {
        name: ImageView(
            url=media_url + image.key,
            width=image.width,
            height=image.height,
            file_size=image.file_size,
            content_type=image.content_type,
        )
        for name, image in row.images.items()
    }
    view = PostView(images=images, **{name: getattr(row, name) for name in _FROM_ROW})
    if row.failure_code is None or row.failure_message is None:
        return view
    failure = FailureView(code=row.failure_code, message=row.failure_message)
    return msgspec.structs.replace(view, failure=failure)


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
