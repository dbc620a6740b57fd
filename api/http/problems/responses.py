"""Responses to requests that raised an error.

Errors without a problem type of their own are logged and answered as `internal-error`. Litestar's
ProblemDetailsPlugin hides the request from its mapping, but we log the request's correlation id.
"""

from http import HTTPStatus
from typing import Any, Final

import structlog
from litestar import Request, Response
from litestar.exceptions import ClientException, HTTPException

from api.http.errors import (
    InvalidBody,
    InvalidQuery,
    QuotaExceeded,
    TooManyRequests,
    TooManyWaitingPhotos,
    TranscodeQueueFull,
)
from api.http.observability.correlation import correlation_id_of
from api.http.problems.problem import MEDIA_TYPE, PROBLEMS_PATH, FieldError, Problem, ProblemType
from api.http.problems.types import PROBLEM_TYPES

_log = structlog.get_logger(__name__)

# Where Litestar found a value that it refused.
_WITH_SECONDS: Final = (TranscodeQueueFull, TooManyWaitingPhotos, TooManyRequests, QuotaExceeded)
_PARAMETERS: Final = frozenset({"query", "path", "header", "cookie"})


def respond_with_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Answer a request that raised `error`."""
    errors = _field_errors(error)
    problem_type = _type_of(error, errors)
    problem = problem_type.problem(_message(error), errors=errors or None)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log_failure(request, problem, error)
    return Response(
        problem,
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={**problem_type.headers, **_headers(error)},
    )


def _type_of(error: Exception, errors: list[FieldError]) -> ProblemType:
    if any(each.parameter for each in errors):
        return PROBLEM_TYPES[InvalidQuery]
    return next(PROBLEM_TYPES[base] for base in type(error).__mro__ if base in PROBLEM_TYPES)


def _message(error: Exception) -> str:
    return error.detail if isinstance(error, HTTPException) else str(error)


def _field_errors(error: Exception) -> list[FieldError]:
    if isinstance(error, InvalidBody):
        return [FieldError(pointer=each.pointer, detail=each.detail) for each in error.errors]
    extra = error.extra if isinstance(error, ClientException) else None
    if not isinstance(extra, list):
        return []
    return [_litestar_error(each) for each in extra if isinstance(each, dict)]


def _litestar_error(error: dict[str, Any]) -> FieldError:
    if error.get("source") in _PARAMETERS:
        return FieldError(parameter=error.get("key"), detail=error["message"])
    return FieldError(pointer="#", detail=error["message"])


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, _WITH_SECONDS):
        return {"Retry-After": str(error.seconds)}
    return dict(error.headers or {}) if isinstance(error, HTTPException) else {}


def _log_failure(request: Request[Any, Any, Any], problem: Problem, error: Exception) -> None:
    expected = problem.status == HTTPStatus.SERVICE_UNAVAILABLE
    log = _log.bind(
        problem=problem.type.removeprefix(PROBLEMS_PATH),
        method=request.method,
        path=request.url.path,
        correlation_id=str(correlation_id_of(request)),
    )
    if expected:
        log.warning("request_refused", error=str(error))
    else:
        log.error("request_failed", exc_info=error)
