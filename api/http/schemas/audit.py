"""Schemas of the audit routes, beyond the events themselves."""

from typing import Literal, TypeAlias

from msgspec import Struct

from projections.audit.events import Order

ResponseFormat: TypeAlias = Literal["json", "ndjson"]
MAX_EVENTS = 1000
DEFAULT_EVENTS = 100


class EventPageQuery(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which page of the events to return, and in which format; `after` is a position."""

    after: int | None = None
    limit: int | None = None
    order: Order = "newest"
    format: ResponseFormat = "json"
