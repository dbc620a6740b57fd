"""Operations of the document: what every response has, and which routes are open."""

from dataclasses import dataclass, replace
from typing import Final

from litestar.openapi.spec import (
    Example,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Schema,
)
from litestar.openapi.spec.enums import OpenAPIFormat

from api.http.authentication.bearer import SECURITY
from api.http.observability.correlation import HEADER
from api.http.problems.problem import MEDIA_TYPE

NDJSON: Final = "application/x-ndjson"


def _text(example: str) -> Schema:
    return Schema(type=OpenAPIType.STRING, examples=[example])


CORRELATION_ID: Final = OpenAPIHeader(
    description="Finds the request in the logs, and its events in the history. Send a UUID of your "
    "own in the request, or get a new one.",
    schema=Schema(
        type=OpenAPIType.STRING,
        format=OpenAPIFormat.UUID,
        examples=["6f6d1c0c-3d63-4d6e-9d7b-0f3e5d2c1b4a"],
    ),
)
RETRY_AFTER: Final = OpenAPIHeader(
    description="Seconds to wait before the next request.",
    schema=Schema(type=OpenAPIType.INTEGER, minimum=1, examples=[2]),
)
WWW_AUTHENTICATE: Final = OpenAPIHeader(
    description="The scheme to authenticate with.", schema=_text("Bearer")
)
ALLOW: Final = OpenAPIHeader(
    description="The methods of this path.", schema=_text("GET, HEAD, OPTIONS")
)
# What the problems of a status carry beside the correlation id.
_HEADERS_OF_PROBLEMS: Final = {
    "401": {"WWW-Authenticate": WWW_AUTHENTICATE},
    "405": {"Allow": ALLOW},
    "429": {"Retry-After": RETRY_AFTER},
    "503": {"Retry-After": RETRY_AFTER},
}


@dataclass
class ApiOperation(Operation):
    """An operation that needs a token."""

    def __post_init__(self) -> None:
        """Add the headers that every response has, and those of its problems."""
        self.responses = {
            status: response
            for status, response in (self.responses or {}).items()
            if isinstance(response, OpenAPIResponse) and not _is_of_litestar(response, status)
        }
        for status, response in self.responses.items():
            assert isinstance(response, OpenAPIResponse)  # noqa: S101 - narrows the type
            _add_headers(response, status)
            _name_examples(response)


@dataclass
class OpenOperation(ApiOperation):
    """An operation that needs no token."""

    def __post_init__(self) -> None:
        """Override the security requirement of the document."""
        super().__post_init__()
        self.security = []


@dataclass
class OptionalTokenOperation(ApiOperation):
    """An operation that tells callers with a token more than others."""

    def __post_init__(self) -> None:
        """Override the security requirement of the document: none, or the usual one."""
        super().__post_init__()
        self.security = [{}, SECURITY]


@dataclass
class EventsOperation(ApiOperation):
    """An operation that can also answer with a stream of lines, each one event."""

    def __post_init__(self) -> None:
        """Add the second media type of the response."""
        super().__post_init__()
        response = (self.responses or {})["200"]
        assert isinstance(response, OpenAPIResponse)  # noqa: S101 - narrows the type
        assert response.content is not None  # noqa: S101 - as above
        response.content[NDJSON] = OpenAPIMediaType(
            schema=Schema(
                type=OpenAPIType.STRING,
                description="One event per line, each an `AuditedEvent` as JSON.",
            )
        )


def _is_of_litestar(response: OpenAPIResponse, status: str) -> bool:
    """Whether Litestar added it: it knows nothing of problems."""
    return status == "400" and MEDIA_TYPE not in (response.content or {})


def _name_examples(response: OpenAPIResponse) -> None:
    """Leave the names of examples to their keys: OpenAPI allows no `id` beside them."""
    for content in (response.content or {}).values():
        content.examples = content.examples and {
            name: replace(example, id=None) if isinstance(example, Example) else example
            for name, example in content.examples.items()
        }


def _add_headers(response: OpenAPIResponse, status: str) -> None:
    headers = response.headers or {}
    if MEDIA_TYPE in (response.content or {}):
        headers |= _HEADERS_OF_PROBLEMS.get(status, {})
    response.headers = {**headers, HEADER: CORRELATION_ID}
