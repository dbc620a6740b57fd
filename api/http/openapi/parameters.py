"""Parameters of paths and queries: their meaning, bounds and examples."""

from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

from litestar.openapi.spec import Example
from litestar.params import PathParameter, QueryParameter

from api.http.schemas.fields import MAX_INTEGER, POST_ID, USER_ID

DEFAULT_PAGE: Final = 20
MAX_PAGE: Final = 100


def _query(description: str, example: object, **bounds: Any) -> QueryParameter:  # noqa: ANN401
    return QueryParameter(description=description, examples=[Example(value=example)], **bounds)


PostIdPath: TypeAlias = Annotated[
    UUID, PathParameter(description="The id of the post.", examples=[Example(value=POST_ID)])
]

USER_ID_QUERY: Final = _query("Only posts of this user.", USER_ID)
STATUS_QUERY: Final = _query("Only posts in this status.", "published")
LIMIT_QUERY: Final = _query("The size of the page.", DEFAULT_PAGE, ge=1, le=MAX_PAGE)
CURSOR_QUERY: Final = _query(
    "The `next_cursor` of the previous page.", "kqoyMDI2LTAzLTAx", max_length=200
)

AS_OF_QUERY: Final = _query("The time, with a time zone.", "2026-03-01T08:00:01Z")
VERSION_QUERY: Final = _query("The number of events.", 2, ge=0, le=MAX_INTEGER)

TYPE_QUERY: Final = _query("Only events of this type.", "post.published", name="type")
POST_ID_QUERY: Final = _query("Only events of this post.", POST_ID)
ACTOR_QUERY: Final = _query(
    "Only events that this actor caused.", f"user:{USER_ID}", max_length=200
)
SINCE_QUERY: Final = _query("The earliest time, with a time zone.", "2026-03-01T00:00:00Z")
UNTIL_QUERY: Final = _query("Events before this time, with a time zone.", "2026-03-02T00:00:00Z")
AFTER_QUERY: Final = _query(
    "The `next_after` of the previous page: a position.", 28, ge=0, le=MAX_INTEGER
)
EVENTS_QUERY: Final = _query(
    "The size of the page, at most 1000; with `format=ndjson`, of all that is sent.",
    100,
    ge=1,
    le=MAX_INTEGER,
)
ORDER_QUERY: Final = _query("Which event comes first.", "newest")
FORMAT_QUERY: Final = _query("A page, or a stream of lines.", "json", name="format")
