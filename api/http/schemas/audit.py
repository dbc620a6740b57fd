"""Schemas of the audit routes, beyond the events themselves."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from api.http.schemas.fields import PostId
from projections.audit.events import AuditedEvent, Order

ResponseFormat: TypeAlias = Literal["json", "ndjson"]
MAX_EVENTS = 1000
DEFAULT_EVENTS = 100


class PostHistory(Struct, frozen=True, kw_only=True):
    """All events of a post."""

    post_id: PostId
    items: Annotated[
        list[AuditedEvent], Meta(description="The events, in the order of their versions.")
    ]


class EventPageQuery(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which page of the events to return, and in which format; `after` is a position."""

    after: int | None = None
    limit: int | None = None
    order: Order = "newest"
    format: ResponseFormat = "json"
