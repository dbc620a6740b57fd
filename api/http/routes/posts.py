"""Posts: read, list, delete and retry."""

import base64
import binascii
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import JSONBody
from litestar.status_codes import HTTP_202_ACCEPTED

from api.http.authentication.requests import AuthenticatedRequest, command_origin
from api.http.errors import (
    InvalidCursor,
    NotYetReadable,
    PreconditionFailed,
    TooManyWaitingPhotos,
    TranscodeQueueFull,
)
from api.http.openapi.operations import ApiOperation
from api.http.openapi.parameters import (
    CURSOR_QUERY,
    DEFAULT_PAGE,
    IF_MATCH_HEADER,
    LIMIT_QUERY,
    STATUS_QUERY,
    USER_ID_QUERY,
    PostIdPath,
)
from api.http.openapi.responses import (
    BODY,
    CACHE,
    ETAG,
    LINK,
    LOCATION,
    NOT_MODIFIED,
    PATH,
    POLL_AFTER,
    QUERY,
    VARY,
    problem_responses,
)
from api.http.openapi.tags import POSTS
from api.http.resources import Resources, UseResources
from api.http.routes.responses import (
    link_to_next,
    require_match_of,
    respond_accepted,
    respond_with_etag,
)
from api.http.schemas.posts import EditPost, PostAccepted, PostPage, PostView, view_of
from domain.commands import CaptionPost, DeletePost, RetryPost
from domain.errors import (
    PermanentlyFailed,
    PostChanged,
    PostNotFailed,
    PostNotFound,
    RetriesExhausted,
    VersionConflict,
)
from domain.post import ReadableStatus
from projections.queries.posts import (
    PageStart,
    PostFilter,
    ReadablePost,
    get_post,
    list_posts,
)


@get(
    "/posts/{post_id:uuid}",
    operation_id="getPost",
    response_description="The post.",
    summary="Read a post",
    operation_class=ApiOperation,
    response_headers=[ETAG, CACHE, VARY],
    responses={**NOT_MODIFIED, **problem_responses(*PATH, PostNotFound, PreconditionFailed)},
)
async def read_post(
    post_id: PostIdPath, request: AuthenticatedRequest, resources: UseResources
) -> Response[PostView]:
    """Read a post with the variants that are ready. Send `If-None-Match` to poll cheaply.

    Everyone may read a published post; only its owner reads one that is not.
    """
    row = await _readable(resources, post_id, reader_id=request.user.id)
    return respond_with_etag(request, view_of(row, media_url=resources.media_url(request)))


@get(
    "/posts",
    operation_id="listPosts",
    response_description="A page of posts.",
    summary="List posts",
    operation_class=ApiOperation,
    response_headers=[ETAG, CACHE, VARY, LINK],
    responses={**NOT_MODIFIED, **problem_responses(*QUERY, InvalidCursor, PreconditionFailed)},
)
async def read_posts(
    request: AuthenticatedRequest,
    resources: UseResources,
    user_id: Annotated[UUID | None, USER_ID_QUERY] = None,
    status: Annotated[ReadableStatus | None, STATUS_QUERY] = None,
    limit: Annotated[int, LIMIT_QUERY] = DEFAULT_PAGE,
    cursor: Annotated[str | None, CURSOR_QUERY] = None,
) -> Response[PostPage]:
    """List posts, newest first: your own in every status, and those that others published."""
    post_filter = PostFilter(reader_id=request.user.id, user_id=user_id, status=status)
    start = _page_start(cursor) if cursor else None
    async with resources.connections.connection() as connection:
        rows = await list_posts(connection, post_filter, limit=limit + 1, start=start)
    page = rows[:limit]
    media_url = resources.media_url(request)
    next_cursor = _cursor(page[-1]) if len(rows) > limit else None
    return respond_with_etag(
        request,
        PostPage(
            items=[view_of(row, media_url=media_url) for row in page], next_cursor=next_cursor
        ),
        link=link_to_next(request, cursor=next_cursor) if next_cursor else None,
    )


@patch(
    "/posts/{post_id:uuid}",
    operation_id="editPost",
    response_description="The post as it is now.",
    summary="Change the caption or the alternative text",
    operation_class=ApiOperation,
    responses=problem_responses(
        *BODY, *PATH, PostNotFound, PostChanged, VersionConflict, NotYetReadable
    ),
)
async def edit_post(
    post_id: PostIdPath,
    data: JSONBody[EditPost],
    request: AuthenticatedRequest,
    resources: UseResources,
    if_match: Annotated[str | None, IF_MATCH_HEADER] = None,
) -> PostView:
    """Change the texts of your own post, in any status. The history keeps the earlier ones.

    Send the post's `ETag` as `If-Match` to overwrite no change that you have not seen.
    """
    expected_version = await _expected_version(request, resources, post_id, if_match=if_match)
    await resources.writer.execute(
        CaptionPost(
            origin=command_origin(request, at=resources.writer.now()),
            post_id=post_id,
            user_id=request.user.id,
            caption=data.caption,
            alt=data.alt,
        ),
        expected_version=expected_version,
    )
    row = await _readable(resources, post_id, reader_id=request.user.id)
    return view_of(row, media_url=resources.media_url(request))


@delete(
    "/posts/{post_id:uuid}",
    operation_id="deletePost",
    response_description="The post is deleted.",
    summary="Delete a post",
    operation_class=ApiOperation,
    responses=problem_responses(*PATH, PostNotFound, PostChanged, VersionConflict, NotYetReadable),
)
async def delete_post(
    post_id: PostIdPath,
    request: AuthenticatedRequest,
    resources: UseResources,
    if_match: Annotated[str | None, IF_MATCH_HEADER] = None,
) -> None:
    """Delete your own post. It disappears from every read at once."""
    expected_version = await _expected_version(request, resources, post_id, if_match=if_match)
    await resources.writer.execute(
        DeletePost(
            origin=command_origin(request, at=resources.writer.now()),
            post_id=post_id,
            user_id=request.user.id,
        ),
        expected_version=expected_version,
    )


@post(
    "/posts/{post_id:uuid}/retry",
    status_code=HTTP_202_ACCEPTED,
    operation_id="retryPost",
    response_description="The status of the post now.",
    summary="Retry a failed post",
    operation_class=ApiOperation,
    response_headers=[LOCATION, POLL_AFTER],
    responses=problem_responses(
        *PATH,
        PostNotFound,
        PostNotFailed,
        PermanentlyFailed,
        RetriesExhausted,
        PostChanged,
        TooManyWaitingPhotos,
        TranscodeQueueFull,
        VersionConflict,
        NotYetReadable,
    ),
)
async def retry_post(
    post_id: PostIdPath,
    request: AuthenticatedRequest,
    resources: UseResources,
    if_match: Annotated[str | None, IF_MATCH_HEADER] = None,
) -> Response[PostAccepted]:
    """Retry your own failed post without uploading the photo again.

    Refused for failures that lie in the photo, and after five retries of one post.
    """
    expected_version = await _expected_version(request, resources, post_id, if_match=if_match)
    outcome = await resources.writer.execute(
        RetryPost(
            origin=command_origin(request, at=resources.writer.now()),
            post_id=post_id,
            user_id=request.user.id,
        ),
        expected_version=expected_version,
        queue_capacity=resources.settings.uploads.queue_capacity,
    )
    return respond_accepted(outcome.post)


async def _readable(resources: Resources, post_id: UUID, *, reader_id: UUID) -> ReadablePost:
    async with resources.connections.connection() as connection:
        row = await get_post(connection, post_id, reader_id=reader_id)
    if row is None:
        raise PostNotFound(post_id)
    return row


async def _expected_version(
    request: AuthenticatedRequest, resources: Resources, post_id: UUID, *, if_match: str | None
) -> int | None:
    """The version of the post that `If-Match` names; None without it."""
    if if_match is None:
        return None
    row = await _readable(resources, post_id, reader_id=request.user.id)
    require_match_of(request, view_of(row, media_url=resources.media_url(request)))
    return row.version


def _cursor(row: ReadablePost) -> str:
    start = PageStart(before_at=row.created_at, before_id=row.id)
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(start)).decode().rstrip("=")


def _page_start(cursor: str) -> PageStart:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        return msgspec.msgpack.decode(raw, type=PageStart)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise InvalidCursor from error


posts_router = Router(
    "/",
    route_handlers=[read_post, read_posts, edit_post, delete_post, retry_post],
    tags=[POSTS.name],
)
