"""Responses of the document: the problems of an operation, and headers of its successes."""

from collections import defaultdict
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from litestar.datastructures import ResponseHeader
from litestar.exceptions import (
    MethodNotAllowedException,
    NotFoundException,
)
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from api.http.errors import (
    IdentityProviderUnavailable,
    InvalidBody,
    InvalidQuery,
    InvalidToken,
    NotJson,
    TooManyRequests,
)
from api.http.problems.problem import MEDIA_TYPE, Problem, ProblemType
from api.http.problems.types import DATABASE_UNAVAILABLE, PROBLEM_TYPES

# What any request to a path can be answered with, and any that carries a token.
_ANY: Final = (InvalidQuery, MethodNotAllowedException, Exception)
_AUTHENTICATED: Final = (InvalidToken, IdentityProviderUnavailable)
_LIMITED: Final = (TooManyRequests,)
# What a request with a body can be answered with.
BODY: Final = (InvalidBody, NotJson, RequestEntityTooLarge)
QUERY: Final = (InvalidQuery,)
PATH: Final = (NotFoundException,)

ETAG: Final = ResponseHeader(
    name="ETag",
    description="Send it as `If-None-Match` to get 304 while nothing has changed, or as `If-Match` "
    "with a change that must not apply to anything else.",
    value='W/"1f3870be274f6c49b3e31a0c6728957f"',
    documentation_only=True,
)
CACHE: Final = ResponseHeader(
    name="Cache-Control",
    description="How long the response may be used.",
    value="private, no-cache",
    documentation_only=True,
)
VARY: Final = ResponseHeader(
    name="Vary",
    description="Which request headers change the response.",
    value="Authorization",
    documentation_only=True,
)
LINK: Final = ResponseHeader(
    name="Link",
    description='The next page, as `<URL>; rel="next"` (RFC 8288). The last page has none.',
    value='</api/v1/posts?cursor=kq>; rel="next"',
    documentation_only=True,
)
LOCATION: Final = ResponseHeader(
    name="Location",
    description="The path of the post.",
    value="/api/v1/posts/0b9c5e0e-6a53-4c0f-9a7b-1f2d3c4b5a69",
    documentation_only=True,
)
POLL_AFTER: Final = ResponseHeader(
    name="Retry-After",
    description="Seconds to wait before reading the post.",
    value="1",
    documentation_only=True,
)
NOT_MODIFIED: Final[Mapping[int, ResponseSpec]] = {
    304: ResponseSpec(None, description="Not modified since the response with this ETag."),
}


def problem_responses(
    *errors: type[Exception],
    is_open: bool = False,
    uses_database: bool = True,
    is_limited: bool = True,
) -> dict[int, ResponseSpec]:
    """Document the problems that `errors` and every request of this kind can end with."""
    limits = _LIMITED if is_limited else ()
    found = [PROBLEM_TYPES[error] for error in (*errors, *_ANY, *limits)]
    if not is_open:
        found += [PROBLEM_TYPES[error] for error in _AUTHENTICATED]
    if uses_database:
        found.append(DATABASE_UNAVAILABLE)
    by_status: dict[HTTPStatus, dict[str, ProblemType]] = defaultdict(dict)
    for problem_type in found:
        by_status[problem_type.status].setdefault(problem_type.slug, problem_type)
    return {int(status): _response(list(types.values())) for status, types in by_status.items()}


def _response(types: list[ProblemType]) -> ResponseSpec:
    return ResponseSpec(
        data_container=Problem,
        generate_examples=False,
        description="\n\n".join(f"`{each.slug}`: {each.meaning}" for each in types),
        media_type=MEDIA_TYPE,
        examples=[
            Example(id=each.slug, summary=each.title, value=each.example()) for each in types
        ],
    )
