"""Problems: every error that a client can meet, as RFC 9457 problem details.

This is the one place where an error becomes an HTTP status. `type` is stable: clients may switch
on it. Whatever is not listed is logged with its correlation id and answered as `internal-error`.
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import psycopg
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap
from msgspec import Struct

from api.http.correlation import correlation_id_of
from api.http.errors import (
    FileTooLarge,
    FileTooSmall,
    NoRoom,
    NotForThisRole,
    NotUploaded,
    ReadsBehind,
    UnsupportedContentType,
    WrongCursor,
    WrongQuestion,
)
from api.http.upload_tokens import WrongUploadToken
from domain.errors import (
    EventStoreUnavailable,
    PostNotFailed,
    PostNotFound,
    UploadExpired,
    VersionConflict,
)
from transcoder.errors import ObjectStoreUnavailable

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:nova:problem:"
# A server that was restarted is back by then.
RETRY_AFTER_SECONDS: Final = 2

_log = structlog.get_logger(__name__)


Handler: TypeAlias = Callable[[Request[Any, Any, Any], Any], Response["Problem"]]


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457 problem details; `errors` lists the fields that are wrong."""

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[dict[str, Any]] | None = None


class Kind(Struct, frozen=True):
    """How one class of errors is answered."""

    slug: str
    status: HTTPStatus
    title: str
    retry_after_seconds: int | None = None


_DATABASE: Final = (
    "database-unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The database does not answer; say it again later",
    RETRY_AFTER_SECONDS,
)
KINDS: Final[dict[type[Exception], Kind]] = {
    PostNotFound: Kind("post-not-found", HTTPStatus.NOT_FOUND, "There is no such post"),
    UploadExpired: Kind("upload-expired", HTTPStatus.GONE, "The time to upload is over"),
    WrongUploadToken: Kind(
        "wrong-upload-token", HTTPStatus.FORBIDDEN, "The upload token is not for this post"
    ),
    PostNotFailed: Kind("post-not-failed", HTTPStatus.CONFLICT, "The post has not failed"),
    NotUploaded: Kind("not-uploaded", HTTPStatus.CONFLICT, "The photo has not been uploaded yet"),
    UnsupportedContentType: Kind(
        "unsupported-content-type",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Photos of this type are not accepted",
    ),
    FileTooLarge: Kind(
        "file-too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The photo is too large"
    ),
    FileTooSmall: Kind("file-too-small", HTTPStatus.BAD_REQUEST, "The photo is too small"),
    # JSON that is nested deeper than any request of ours.
    RecursionError: Kind("invalid-request", HTTPStatus.BAD_REQUEST, "The request is not valid"),
    WrongCursor: Kind("wrong-cursor", HTTPStatus.BAD_REQUEST, "The cursor is not one of ours"),
    WrongQuestion: Kind(
        "wrong-question", HTTPStatus.BAD_REQUEST, "The question cannot be answered as it is asked"
    ),
    NotForThisRole: Kind(
        "not-for-this-role", HTTPStatus.FORBIDDEN, "This is for auditors and operators"
    ),
    NoRoom: Kind(
        "queue-full",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Too many photos are waiting; say it again later",
    ),
    ReadsBehind: Kind(
        "reads-behind",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The request is stored but cannot be read yet; say it again later",
        RETRY_AFTER_SECONDS,
    ),
    VersionConflict: Kind(
        "version-conflict",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The post is changing too fast; say it again later",
        RETRY_AFTER_SECONDS,
    ),
    EventStoreUnavailable: Kind(*_DATABASE),
    psycopg.OperationalError: Kind(*_DATABASE),
    # How it arrives when the server ends the session.
    psycopg.InternalError: Kind(*_DATABASE),
    ObjectStoreUnavailable: Kind(
        "object-store-unavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The picture store does not answer; say it again later",
        RETRY_AFTER_SECONDS,
    ),
}
_INTERNAL: Final = Kind(
    "internal-error",
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "Something went wrong on our side",
)


def exception_handlers() -> ExceptionHandlersMap:
    """Litestar's mapping from errors to answers, complete."""
    known: dict[Any, Handler] = dict.fromkeys(KINDS, _known)
    return {**known, HTTPException: _http, Exception: _unknown}


def _known(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    kind = next(KINDS[base] for base in type(error).__mro__ if base in KINDS)
    if kind.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return _response(kind, detail=str(error) or None)
    _log.warning("request_refused", problem=kind.slug, error=str(error), **_which(request))
    if isinstance(error, NoRoom):
        return _response(kind, headers={"Retry-After": str(error.seconds)})
    return _response(kind)


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    status = HTTPStatus(error.status_code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _unknown(request, error)
    if status == HTTPStatus.BAD_REQUEST:
        kind = Kind("invalid-request", status, "The request is not valid")
        return _response(kind, detail=error.detail, errors=_field_errors(error))
    kind = Kind(re.sub(r"[^a-z]+", "-", status.phrase.lower()), status, status.phrase)
    headers = dict(error.headers or {})
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return _response(kind, detail=error.detail, headers=headers)


def _unknown(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    _log.error(
        "request_broke",
        exc_info=error,
        **_which(request),
    )
    return _response(_INTERNAL)


def _which(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {
        "method": request.method,
        "path": request.url.path,
        "correlation_id": str(correlation_id_of(request)),
    }


def _field_errors(error: HTTPException) -> list[dict[str, Any]] | None:
    extra = error.extra if isinstance(error.extra, list) else []
    return [entry for entry in extra if isinstance(entry, dict)] or None


def _response(
    kind: Kind,
    *,
    detail: str | None = None,
    errors: list[dict[str, Any]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response[Problem]:
    headers = dict(headers or {})
    if kind.retry_after_seconds is not None:
        headers["Retry-After"] = str(kind.retry_after_seconds)
    problem = Problem(
        type=TYPE_PREFIX + kind.slug,
        title=kind.title,
        status=kind.status,
        detail=detail,
        errors=errors,
    )
    return Response(problem, status_code=kind.status, media_type=MEDIA_TYPE, headers=headers)
