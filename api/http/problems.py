"""Problems: every error a client can meet, as RFC 9457 problem details.

The only place where an error becomes an HTTP status. Clients rely on `type`: it never changes.
Errors without an entry of their own are logged and answered as `internal-error`. Litestar's
ProblemDetailsPlugin hides the request from its mapping, but we log the request's correlation id.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import psycopg
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotAuthorizedException,
    NotFoundException,
)
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from msgspec import Struct, field

from api.http.errors import (
    FileTooLarge,
    FileTooSmall,
    InsufficientRole,
    InvalidCursor,
    InvalidQuery,
    InvalidUploadToken,
    NotUploaded,
    NotYetReadable,
    TranscodeQueueFull,
    UnsupportedContentType,
)
from api.http.observability.correlation import correlation_id_of
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
# A restarted server is back by then.
RETRY_AFTER_SECONDS: Final = 2

_log = structlog.get_logger(__name__)


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457 problem details; `errors` lists invalid fields."""

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[dict[str, Any]] | None = None


class ProblemType(Struct, frozen=True):
    """How errors of one class are answered: with `detail`, or with the error's own message."""

    slug: str
    status: HTTPStatus
    title: str
    detail: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def _unavailable(slug: str, title: str) -> ProblemType:
    return ProblemType(
        slug,
        HTTPStatus.SERVICE_UNAVAILABLE,
        title,
        "Retry later.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


_DATABASE: Final = _unavailable("database-unavailable", "Database unavailable")
_INVALID_REQUEST: Final = ProblemType("invalid-request", HTTPStatus.BAD_REQUEST, "Invalid request")
_INVALID_QUERY: Final = ProblemType(
    "invalid-query", HTTPStatus.BAD_REQUEST, "Invalid query parameters"
)

PROBLEM_TYPES: Final[Mapping[type[Exception], ProblemType]] = {
    PostNotFound: ProblemType(
        "post-not-found",
        HTTPStatus.NOT_FOUND,
        "Post not found",
        "Check the id. Only the owner can change a post, or read it before it is published.",
    ),
    PostNotFailed: ProblemType(
        "post-not-failed",
        HTTPStatus.CONFLICT,
        "Post has not failed",
        "Retry failed posts only.",
    ),
    UploadExpired: ProblemType(
        "upload-expired",
        HTTPStatus.GONE,
        "Upload expired",
        "Start a new upload with upload/init.",
    ),
    NotUploaded: ProblemType("not-uploaded", HTTPStatus.CONFLICT, "Photo not uploaded"),
    InvalidUploadToken: ProblemType(
        "invalid-upload-token", HTTPStatus.FORBIDDEN, "Invalid upload token"
    ),
    UnsupportedContentType: ProblemType(
        "unsupported-content-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Unsupported content type"
    ),
    FileTooLarge: ProblemType(
        "file-too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "File too large"
    ),
    FileTooSmall: ProblemType("file-too-small", HTTPStatus.BAD_REQUEST, "File too small"),
    InvalidCursor: ProblemType("invalid-cursor", HTTPStatus.BAD_REQUEST, "Invalid cursor"),
    InvalidQuery: _INVALID_QUERY,
    InsufficientRole: ProblemType("insufficient-role", HTTPStatus.FORBIDDEN, "Insufficient role"),
    TranscodeQueueFull: _unavailable("queue-full", "Transcode queue is full"),
    NotYetReadable: _unavailable("not-yet-readable", "Change stored but not yet readable"),
    VersionConflict: _unavailable("version-conflict", "Too many concurrent changes to this post"),
    ObjectStoreUnavailable: _unavailable("object-store-unavailable", "Object storage unavailable"),
    EventStoreUnavailable: _DATABASE,
    psycopg.OperationalError: _DATABASE,
    # What psycopg raises when the server ends the session.
    psycopg.InternalError: _DATABASE,
    NotAuthorizedException: ProblemType(
        "unauthorized",
        HTTPStatus.UNAUTHORIZED,
        "Authentication required",
        "Send a valid token as Authorization: Bearer TOKEN.",
        headers={"WWW-Authenticate": "Bearer"},
    ),
    NotFoundException: ProblemType(
        "not-found", HTTPStatus.NOT_FOUND, "Not found", "See /docs for the paths of this API."
    ),
    MethodNotAllowedException: ProblemType(
        "method-not-allowed",
        HTTPStatus.METHOD_NOT_ALLOWED,
        "Method not allowed",
        "See /docs for the methods of this path.",
    ),
    RequestEntityTooLarge: ProblemType(
        "request-too-large",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "Request too large",
        "PUT photos to presigned_url, not to this API.",
    ),
    ClientException: _INVALID_REQUEST,
    # Raised by JSON nested deeper than any valid request.
    RecursionError: ProblemType(
        "invalid-request",
        HTTPStatus.BAD_REQUEST,
        "Invalid request",
        "Nest the JSON less deeply.",
    ),
    Exception: ProblemType(
        "internal-error",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Internal error",
        "If it persists, report the X-Correlation-ID of this response.",
    ),
}


def respond_with_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Answer a request that raised `error`."""
    problem_type = _type_of(error)
    problem = Problem(
        type=TYPE_PREFIX + problem_type.slug,
        title=problem_type.title,
        status=problem_type.status,
        detail=problem_type.detail or _message(error),
        errors=_field_errors(error) or None,
    )
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log_failure(request, problem, error)
    return Response(
        problem,
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={**problem_type.headers, **_headers(error)},
    )


def _type_of(error: Exception) -> ProblemType:
    if any(each.get("source") == "query" for each in _field_errors(error)):
        return _INVALID_QUERY
    return next(PROBLEM_TYPES[base] for base in type(error).__mro__ if base in PROBLEM_TYPES)


def _message(error: Exception) -> str:
    return error.detail if isinstance(error, HTTPException) else str(error)


def _field_errors(error: Exception) -> list[dict[str, Any]]:
    extra = error.extra if isinstance(error, ClientException) else None
    return [each for each in extra if isinstance(each, dict)] if isinstance(extra, list) else []


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, TranscodeQueueFull):
        return {"Retry-After": str(error.seconds)}
    return dict(error.headers or {}) if isinstance(error, HTTPException) else {}


def _log_failure(request: Request[Any, Any, Any], problem: Problem, error: Exception) -> None:
    expected = problem.status == HTTPStatus.SERVICE_UNAVAILABLE
    log = _log.bind(
        problem=problem.type.removeprefix(TYPE_PREFIX),
        method=request.method,
        path=request.url.path,
        correlation_id=str(correlation_id_of(request)),
    )
    if expected:
        log.warning("request_refused", error=str(error))
    else:
        log.error("request_failed", exc_info=error)
