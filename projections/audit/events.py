"""Audit queries: the stored log by post, user, actor, type and time.

Events are shown as stored, never upcast: evidence is not altered. Positions appear in commit order,
so that paging from the oldest misses no event that is appended meanwhile.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Annotated, Any, Final, Literal, LiteralString, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace
from psycopg import AsyncConnection

from domain.events import Fact
from projections.connection import fetch_all, fetch_one
from projections.log.reading import LogRow, head_position

# Provides a connection for as long as one statement needs it.
Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[AsyncConnection[object]]]
Order: TypeAlias = Literal["newest", "oldest"]
Topic: TypeAlias = Literal[
    "post.created",
    "post.captioned",
    "post.uploaded",
    "post.variant_ready",
    "post.published",
    "post.failed",
    "post.retried",
    "post.reprocessed",
    "post.not_reprocessed",
    "post.deleted",
]

BATCH: Final = 1000
_COLUMNS: Final[LiteralString] = """
SELECT notification_id AS position, originator_id AS post_id, originator_version AS version,
       topic, state
FROM post_events
"""
_OF_POST: Final[LiteralString] = f"""
{_COLUMNS} WHERE originator_id = %(post_id)s ORDER BY originator_version
"""
_POSTS_OF_USER: Final[LiteralString] = """
SELECT originator_id AS post_id FROM post_events
WHERE topic = 'post.created' AND event_field(state, 'user_id') = %(user_id)s::text
"""
# Of a user's events, positions are sorted first: they come from the key alone, and the rows of one
# page are then few. OFFSET 0 keeps the planner from reading the whole log instead.
_CONDITIONS: Final[dict[str, LiteralString]] = {
    "type": "topic = %(type)s",
    "post_id": "originator_id = %(post_id)s",
    "actor": "event_field(state, 'actor') = %(actor)s",
    "at_least": "notification_id >= %(at_least)s",
    "at_most": "notification_id <= %(at_most)s",
}
# Decodes the time of each row once; null means no bound.
_IN_SPAN: Final[LiteralString] = (
    "event_recorded_at(state) <@ tstzrange(%(since)s::timestamptz, %(until)s::timestamptz)"
)
_SPAN: Final[LiteralString] = """
SELECT first_position, last_position FROM positions_between(
    coalesce(%(since)s, '-infinity'::timestamptz), coalesce(%(until)s, 'infinity'::timestamptz)
)
"""
_ORDERS: Final[dict[Order, tuple[LiteralString, LiteralString]]] = {
    "newest": ("notification_id < %(after)s", "ORDER BY notification_id DESC LIMIT %(limit)s"),
    "oldest": ("notification_id > %(after)s", "ORDER BY notification_id LIMIT %(limit)s"),
}


class EventFilter(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which events to select; `since` is inclusive, `until` exclusive.

    `user_id` is who created the post, `actor` who caused the event. `at_least` and `at_most` are
    positions.
    """

    type: Topic | None = None
    post_id: UUID | None = None
    user_id: UUID | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    at_least: int | None = None
    at_most: int | None = None


class AuditedEvent(Struct, frozen=True, kw_only=True):
    """One event as stored; `data` holds the fields that have no place of their own.

    If the state is not a JSON object, those places are null and `data.unreadable_state` is base64.
    """

    position: Annotated[int, Meta(description="Its place in the log.", examples=[28])]
    post_id: Annotated[
        UUID,
        Meta(description="Whose event it is.", examples=["0b9c5e0e-6a53-4c0f-9a7b-1f2d3c4b5a69"]),
    ]
    version: Annotated[int, Meta(description="Its place among those of the post.", examples=[2])]
    type: Annotated[str, Meta(description="What happened.", examples=["post.uploaded"])]
    recorded_at: Annotated[
        str | None, Meta(description="When, in RFC 3339.", examples=["2026-03-01T08:00:00.123456Z"])
    ]
    actor: Annotated[
        str | None,
        Meta(
            description="Who caused it: `user:UUID`, `cli:NAME@HOST` or `system:NAME`.",
            examples=["user:5f3759df-0000-4000-8000-000000000001"],
        ),
    ]
    correlation_id: Annotated[
        str | None,
        Meta(
            description="Shared by everything that one request led to.",
            examples=["6f6d1c0c-3d63-4d6e-9d7b-0f3e5d2c1b4a"],
        ),
    ]
    causation_id: Annotated[
        str | None,
        Meta(
            description="The request, or the event, that led to this one.",
            examples=["6f6d1c0c-3d63-4d6e-9d7b-0f3e5d2c1b4a"],
        ),
    ]
    data: Annotated[
        dict[str, Any],
        Meta(
            description="The other fields of the event, which depend on its type.",
            examples=[{"schema_version": 1, "file_size": 3_482_111}],
        ),
    ]


class EventPage(Struct, frozen=True, kw_only=True):
    """A page of events in the requested order."""

    items: Annotated[list[AuditedEvent], Meta(description="The events.")]
    next_after: Annotated[
        int | None,
        Meta(
            description="Pass it as `after` for the next page; null on the last one.",
            examples=[28],
        ),
    ]


class _Span(Struct, frozen=True, kw_only=True):
    first_position: int | None
    last_position: int | None


async def history_of(connection: AsyncConnection[object], post_id: UUID) -> list[LogRow]:
    """Every row of one post in the order of versions; empty for an unknown post."""
    return await fetch_all(connection, LogRow, _OF_POST, {"post_id": post_id})


async def page_of_events(
    connection: AsyncConnection[object],
    asked: EventFilter,
    *,
    limit: int,
    order: Order = "oldest",
    after: int | None = None,
) -> EventPage:
    """Up to `limit` events that follow position `after` in the requested order."""
    if asked.since is not None and asked.until is not None and asked.until <= asked.since:
        return EventPage(items=[], next_after=None)
    asked = await _within_positions(connection, asked)
    parameters = {**msgspec.structs.asdict(asked), "after": after, "limit": limit + 1}
    query = statement(asked, order=order, is_first=after is None)
    rows = await fetch_all(connection, LogRow, query, parameters)
    page = [audited(row) for row in rows[:limit]]
    return EventPage(items=page, next_after=page[-1].position if len(rows) > limit else None)


async def stream_events(
    connect: Connect,
    asked: EventFilter,
    *,
    order: Order = "oldest",
    after: int | None = None,
    limit: int | None = None,
) -> AsyncIterator[list[AuditedEvent]]:
    """All selected events up to the current head, in batches: memory holds one at a time.

    Each batch is one short statement on its own connection: a slow client holds none.
    """
    async with connect() as connection:
        if asked.at_most is None:
            asked = replace(asked, at_most=await head_position(connection))
        asked = await _within_positions(connection, asked)
    left = limit
    while left is None or left > 0:
        size = BATCH if left is None else min(BATCH, left)
        async with connect() as connection:
            page = await page_of_events(connection, asked, limit=size, order=order, after=after)
        yield page.items
        after, left = page.next_after, None if left is None else left - size
        if after is None:
            return


async def _within_positions(connection: AsyncConnection[object], asked: EventFilter) -> EventFilter:
    """Add the positions between which a span of time lies, so that the rest is not scanned."""
    if asked.at_least is not None or not _has_span(asked):
        return asked
    span = await fetch_one(connection, _Span, _SPAN, {"since": asked.since, "until": asked.until})
    at_most = (span and span.last_position) or 0
    return replace(
        asked,
        at_least=(span and span.first_position) or 0,
        at_most=at_most if asked.at_most is None else min(at_most, asked.at_most),
    )


def statement(asked: EventFilter, *, order: Order, is_first: bool) -> LiteralString:
    """The query, with the given conditions only, so that the planner sees which index serves it."""
    following, ordered = _ORDERS[order]
    given: list[LiteralString] = [
        condition for name, condition in _CONDITIONS.items() if getattr(asked, name) is not None
    ]
    if _has_span(asked):
        given.append(_IN_SPAN)
    given.append("true" if is_first else following)
    conditions = " AND ".join(given)
    if asked.user_id is None:
        return f"{_COLUMNS} WHERE {conditions} {ordered}"
    return f"""{_COLUMNS} WHERE notification_id = ANY (ARRAY(
        SELECT notification_id FROM ({_POSTS_OF_USER}) AS owned CROSS JOIN LATERAL (
            SELECT notification_id FROM post_events
            WHERE originator_id = owned.post_id AND {conditions} OFFSET 0
        ) AS each {ordered}
    )) {ordered}"""


def _has_span(asked: EventFilter) -> bool:
    return asked.since is not None or asked.until is not None


def audited(row: LogRow) -> AuditedEvent:
    """The stored event, field by field."""
    fields = _fields(row.state)
    return AuditedEvent(
        position=row.position,
        post_id=row.post_id,
        version=row.version,
        type=row.topic,
        recorded_at=fields.get("recorded_at"),
        actor=fields.get("actor"),
        correlation_id=fields.get("correlation_id"),
        causation_id=fields.get("causation_id"),
        data={name: value for name, value in fields.items() if name not in _OWN_PLACES},
    )


# `event_id` stays in `data`: later events name it as their `causation_id`.
_OWN_PLACES: Final = {"type", *Fact.__struct_fields__} - {"event_id"}
_OBJECT: Final[msgspec.json.Decoder[dict[str, Any]]] = msgspec.json.Decoder(dict[str, Any])


def _fields(state: bytes) -> dict[str, Any]:
    try:
        return _OBJECT.decode(state)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {"unreadable_state": state}
