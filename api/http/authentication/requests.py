"""Requests: what handlers know of an authenticated caller, and the commands that follow from it."""

from datetime import UTC, datetime
from typing import Any, TypeAlias

from litestar import Request
from litestar.security.jwt import Token

from api.http.authentication.bearer import User
from api.http.observability.correlation import correlation_id_of
from domain.commands import Origin, origin_of_request

AuthenticatedRequest: TypeAlias = Request[User, Token, Any]


def origin_of(request: AuthenticatedRequest) -> Origin:
    """The origin of a command that this request gives."""
    return origin_of_request(
        actor=request.user.actor,
        at=datetime.now(UTC),
        correlation_id=correlation_id_of(request),
    )


def matches_etag(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether the client has this very representation already (`If-None-Match`)."""
    known = request.headers.get("If-None-Match", "").split(",")
    return any(each.strip().removeprefix("W/") in {etag, "*"} for each in known)
