"""Audit schemas: what auditors and operators send and receive, beyond the events themselves."""

from typing import Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from projections.audit.events import AuditedEvent, Order

AnswerFormat: TypeAlias = Literal["json", "ndjson"]
MAX_EVENTS = 1000
DEFAULT_EVENTS = 100


class PostHistory(Struct, frozen=True, kw_only=True):
    """Every event of one post, in the order of its versions."""

    post_id: UUID
    items: list[AuditedEvent]


class PageQuestion(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which part of the events, and how it is answered; `after` is a position."""

    after: int | None = None
    limit: int | None = None
    order: Order = "newest"
    format: AnswerFormat = "json"
