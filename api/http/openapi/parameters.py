"""Parameters of paths and queries: their meaning, bounds and examples."""

from typing import Annotated, Any, Final, TypeAlias, get_args
from uuid import UUID

from litestar.openapi.spec import Example, OpenAPIType
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from api.http.schemas.fields import MAX_INTEGER, POST_ID, USER_ID
from domain.post import ReadableStatus
from projections.audit.events import Topic

DEFAULT_PAGE: Final = 20
MAX_PAGE: Final = 100


def _query(description: str, example: object, **bounds: Any) -> QueryParameter:  # noqa: ANN401
    return QueryParameter(description=description, examples=[Example(value=example)], **bounds)


def _optional(
    description: str,
    example: object,
    *,
    type: OpenAPIType,  # noqa: A002 - the keyword of JSON Schema
    format: OpenAPIFormat | None = None,  # noqa: A002 - as above
    enum: list[str] | None = None,
    **bounds: Any,  # noqa: ANN401
) -> QueryParameter:
    """A parameter that may be left out; Litestar's schema would say that it may be null."""
    schema = {"one_of": None, "type": type, "format": format, "enum": enum}
    return _query(description, example, schema_extra=schema, **bounds)


_TEXT: Final = OpenAPIType.STRING
_INTEGER: Final = OpenAPIType.INTEGER
_UUID: Final[dict[str, Any]] = {"type": OpenAPIType.STRING, "format": OpenAPIFormat.UUID}
_TIME: Final[dict[str, Any]] = {"type": OpenAPIType.STRING, "format": OpenAPIFormat.DATE_TIME}

PostIdPath: TypeAlias = Annotated[
    UUID, PathParameter(description="The id of the post.", examples=[Example(value=POST_ID)])
]

USER_ID_QUERY: Final = _optional("Only posts of this user.", USER_ID, **_UUID)
STATUS_QUERY: Final = _optional(
    "Only posts in this status.", "published", type=_TEXT, enum=list(get_args(ReadableStatus))
)
LIMIT_QUERY: Final = _query("The size of the page.", DEFAULT_PAGE, ge=1, le=MAX_PAGE)
CURSOR_QUERY: Final = _optional(
    "The `next_cursor` of the previous page.", "kqoyMDI2LTAzLTAx", type=_TEXT, max_length=200
)

IDEMPOTENCY_KEY_HEADER: Final = HeaderParameter(
    name="Idempotency-Key",
    description="Makes the request safe to repeat: with the same key and body, it opens the same "
    "upload. Use a random key, such as a UUID, for each photo.",
    examples=[Example(value="8e03978e-40d5-43e8-bc93-6894a57f9324")],
    schema_extra={"one_of": None, "type": OpenAPIType.STRING},
    min_length=1,
    max_length=255,
)

IF_MATCH_HEADER: Final = HeaderParameter(
    name="If-Match",
    description="The `ETag` of the post as the client has seen it: if the post has changed since, "
    "the request is refused with 412.",
    examples=[Example(value='W/"1f3870be274f6c49b3e31a0c6728957f"')],
    schema_extra={"one_of": None, "type": OpenAPIType.STRING},
    min_length=1,
    max_length=1000,
)

AS_OF_QUERY: Final = _optional("The time, with a time zone.", "2026-03-01T08:00:01Z", **_TIME)
VERSION_QUERY: Final = _optional("The number of events.", 2, ge=0, le=MAX_INTEGER, type=_INTEGER)

TYPE_QUERY: Final = _optional(
    "Only events of this type.",
    "post.published",
    name="type",
    type=_TEXT,
    enum=list(get_args(Topic)),
)
POST_ID_QUERY: Final = _optional("Only events of this post.", POST_ID, **_UUID)
ACTOR_QUERY: Final = _optional(
    "Only events that this actor caused.", f"user:{USER_ID}", type=_TEXT, max_length=200
)
SINCE_QUERY: Final = _optional(
    "The earliest time, with a time zone.", "2026-03-01T00:00:00Z", **_TIME
)
UNTIL_QUERY: Final = _optional(
    "Events before this time, with a time zone.", "2026-03-02T00:00:00Z", **_TIME
)
AFTER_QUERY: Final = _optional(
    "The `next_after` of the previous page: a position.",
    28,
    type=_INTEGER,
    ge=0,
    le=MAX_INTEGER,
)
EVENTS_QUERY: Final = _optional(
    "The size of the page, at most 1000; with `format=ndjson`, of all that is sent.",
    100,
    type=_INTEGER,
    ge=1,
    le=MAX_INTEGER,
)
ORDER_QUERY: Final = _query("Which event comes first.", "newest")
FORMAT_QUERY: Final = _query("A page, or a stream of lines.", "json", name="format")
