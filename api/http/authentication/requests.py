"""Authenticated requests, and the commands that follow from them."""

from datetime import datetime
from typing import Any, TypeAlias

from litestar import Request

from api.http.authentication.tokens import VerifiedToken
from api.http.authentication.users import User
from api.http.observability.correlation import correlation_id_of
from domain.commands import Origin, origin_of_request

AuthenticatedRequest: TypeAlias = Request[User, VerifiedToken, Any]


def command_origin(request: AuthenticatedRequest, *, at: datetime) -> Origin:
    """The origin of a command that follows from this request, at the writer's time."""
    return origin_of_request(
        actor=request.user.actor,
        at=at,
        correlation_id=correlation_id_of(request),
    )
