"""Responses that several routes share."""

import hashlib
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import MediaType, Request, Response
from litestar.status_codes import HTTP_202_ACCEPTED

from api.http.errors import PreconditionFailed
from api.http.schemas.posts import PostAccepted
from domain.post import Post, ReadableStatus

# Most photos are published by then.
POLL_AFTER_SECONDS: Final = 1
# The reader's own browser may cache a response, but revalidates it every time.
CACHE_CONTROL: Final = "private, no-cache"

Content = TypeVar("Content")


def path_of(post_id: UUID) -> str:
    """The path of a post."""
    return f"/api/v1/posts/{post_id}"


def respond_with_etag(
    request: Request[Any, Any, Any],
    content: Content,
    *,
    cache_control: str = CACHE_CONTROL,
    vary: str | None = "Authorization",
    link: str | None = None,
) -> Response[Content]:
    """Respond with JSON, or with 304 if the client has it already.

    Raises:
        PreconditionFailed: `If-Match` names another representation.
    """
    encoded = msgspec.json.encode(content)
    etag = _etag_of(encoded)
    optional = {"Vary": vary, "Link": link}
    headers = {name: value for name, value in optional.items() if value is not None}
    headers |= {"ETag": etag, "Cache-Control": cache_control}
    require_match(request, etag)
    if matches_etag(request, etag):
        return Response(cast("Content", None), status_code=304, headers=headers)
    # Litestar passes bytes on as they are.
    return Response(cast("Content", encoded), media_type=MediaType.JSON, headers=headers)


def respond_accepted(post: Post) -> Response[PostAccepted]:
    """Respond with the post's current status, and with where and when to poll for it."""
    return Response(
        PostAccepted(post_id=post.id, status=readable_status(post), image_key=post.image_key),
        status_code=HTTP_202_ACCEPTED,
        headers={"Location": path_of(post.id), "Retry-After": str(POLL_AFTER_SECONDS)},
    )


def readable_status(post: Post) -> ReadableStatus:
    """The status of a post that a command has just returned."""
    assert post.status != "deleted"  # noqa: S101 - commands refuse deleted posts
    return post.status


def link_to_next(request: Request[Any, Any, Any], **changed: object) -> str:
    """The `Link` header that leads to the next page: this URL with `changed` parameters."""
    kept = [(name, value) for name, value in request.query_params.multi_items()]
    query = urlencode([each for each in kept if each[0] not in changed] + [*changed.items()])
    return f'<{request.url.path}?{query}>; rel="next"'


def matches_etag(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether the client has this representation already (`If-None-Match`)."""
    return _names(request.headers.get("If-None-Match", ""), etag)


def require_match(request: Request[Any, Any, Any], etag: str) -> None:
    """Check the precondition of a request that has one (`If-Match`).

    Weak tags count, although RFC 9110 has servers compare strongly: ours differ only where the
    JSON does, and are weak for the sake of compression, by us or by a proxy.

    Raises:
        PreconditionFailed: the resource has another ETag.
    """
    wanted = request.headers.get("If-Match")
    if wanted is not None and not _names(wanted, etag):
        raise PreconditionFailed


def require_match_of(request: Request[Any, Any, Any], content: object) -> None:
    """Check `If-Match` against the ETag that a response with this content would have.

    Raises:
        PreconditionFailed: it has another ETag.
    """
    require_match(request, _etag_of(msgspec.json.encode(content)))


def _etag_of(encoded: bytes) -> str:
    # Weak, for the same JSON may be compressed or not.
    return f'W/"{hashlib.sha256(encoded).hexdigest()[:32]}"'


def _names(tags: str, etag: str) -> bool:
    wanted = {etag.removeprefix("W/"), "*"}
    return any(each.strip().removeprefix("W/") in wanted for each in tags.split(","))
