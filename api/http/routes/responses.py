"""Responses that several routes share."""

from typing import Any, Final

from litestar import Request, Response
from litestar.status_codes import HTTP_202_ACCEPTED

from api.http.schemas.posts import PostAccepted
from domain.post import Post

# Most photos are published by then.
POLL_AFTER_SECONDS: Final = 1


def respond_accepted(post: Post) -> Response[PostAccepted]:
    """Respond with the post's current status, and with where and when to poll for it."""
    assert post.status != "deleted"  # noqa: S101 - commands refuse deleted posts
    return Response(
        PostAccepted(post_id=post.id, status=post.status, image_key=post.image_key),
        status_code=HTTP_202_ACCEPTED,
        headers={"Location": f"/api/v1/posts/{post.id}", "Retry-After": str(POLL_AFTER_SECONDS)},
    )


def matches_etag(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether the client has this representation already (`If-None-Match`)."""
    known = request.headers.get("If-None-Match", "").split(",")
    return any(each.strip().removeprefix("W/") in {etag, "*"} for each in known)
