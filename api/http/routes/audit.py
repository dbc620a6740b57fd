"""Audit: the history of a post, the post at an earlier time, and the event log.

Owners read the history of their own posts. Auditors and operators read everything, and each of
their queries is recorded before it is answered.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from api.http.authentication.requests import AuthenticatedRequest
from api.http.errors import InsufficientRole, InvalidQuery
from api.http.observability.correlation import correlation_id_of
from api.http.openapi import json_response, problem_responses
from api.http.resources import Connections, UseResources
from api.http.schemas.audit import (
    DEFAULT_EVENTS,
    MAX_EVENTS,
    EventPageQuery,
    PostHistory,
    ResponseFormat,
)
from api.http.schemas.posts import PostView, view_of
from domain.errors import PostNotFound
from domain.event_store.mapper import decode_event
from projections.audit.accesses import Access, record_access
from projections.audit.events import (
    EventFilter,
    EventPage,
    Order,
    Topic,
    audited,
    history_of,
    page_of_events,
    stream_events,
)
from projections.log.reading import LogRow
from projections.queries.past_posts import events_until, post_after

MAX_POSITION: Final = 2**63 - 1
NDJSON: Final = "application/x-ndjson"

Position = Annotated[int | None, QueryParameter(ge=0, le=MAX_POSITION)]


def read_filter(
    event_type: Annotated[Topic | None, QueryParameter(name="type")] = None,
    post_id: FromQuery[UUID | None] = None,
    user_id: FromQuery[UUID | None] = None,
    actor: Annotated[str | None, QueryParameter(max_length=200)] = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
) -> EventFilter:
    """Read the filter from the query parameters."""
    _require_time_zones(since=since, until=until)
    if actor is not None and "\0" in actor:
        raise InvalidQuery("Remove the NUL character from actor.")
    return EventFilter(
        type=event_type,
        post_id=post_id,
        user_id=user_id,
        actor=actor,
        since=since,
        until=until,
    )


def read_page(
    after: Position = None,
    limit: Annotated[int | None, QueryParameter(ge=1, le=MAX_POSITION)] = None,
    order: FromQuery[Order] = "newest",
    response_format: Annotated[ResponseFormat, QueryParameter(name="format")] = "json",
) -> EventPageQuery:
    """Read the page and the format from the query parameters."""
    if response_format == "json" and limit is not None and limit > MAX_EVENTS:
        raise InvalidQuery(f"Use limit={MAX_EVENTS} at most, or format=ndjson for more events.")
    return EventPageQuery(after=after, limit=limit, order=order, format=response_format)


@get("/posts/{post_id:uuid}/events", responses=problem_responses(404))
async def read_history(
    post_id: FromPath[UUID], request: AuthenticatedRequest, resources: UseResources
) -> PostHistory:
    """Read all events of a post, even a deleted one. For its owner, auditors and operators."""
    rows = await _history(resources.connections, post_id, request=request)
    return PostHistory(post_id=post_id, items=[audited(row) for row in rows])


@get("/posts/{post_id:uuid}/state", responses=problem_responses(404))
async def read_state(
    post_id: FromPath[UUID],
    request: AuthenticatedRequest,
    resources: UseResources,
    as_of: FromQuery[datetime | None] = None,
    version: Position = None,
) -> PostView:
    """Read a post as it was at a time or a version. Counters are 0: events do not record them."""
    if (as_of is None) == (version is None):
        raise InvalidQuery("Pass either as_of or version.")
    _require_time_zones(as_of=as_of)
    rows = await _history(resources.connections, post_id, request=request)
    events = events_until([decode_event(row) for row in rows], as_of=as_of, version=version)
    post = post_after(events)
    if post is None:
        raise PostNotFound(post_id)
    return view_of(post, media_url=resources.media_url(request))


@get(
    "/audit/events",
    responses={**json_response(EventPage), **problem_responses(403)},
    dependencies={
        "event_filter": Provide(read_filter, sync_to_thread=False),
        "page": Provide(read_page, sync_to_thread=False),
    },
)
async def read_events(
    event_filter: NamedDependency[EventFilter],
    page: NamedDependency[EventPageQuery],
    request: AuthenticatedRequest,
    resources: UseResources,
) -> Response[Any]:
    """Query the event log: one page, or with `format=ndjson` everything after a position.

    `user_id` created the post, `actor` caused the event. `since` is inclusive, `until` exclusive.
    Pass `next_after` as `after` for the next page. Every query is recorded.
    """
    filters = {**msgspec.to_builtins(event_filter), **msgspec.to_builtins(page)}
    await _record(resources.connections, request, filters=filters)
    if page.format == "ndjson":
        return Stream(_lines(resources.connections, event_filter, page), media_type=NDJSON)
    return Response(await _page(resources.connections, event_filter, page))


async def _history(
    connections: Connections, post_id: UUID, *, request: AuthenticatedRequest
) -> list[LogRow]:
    """The rows of a post that this caller may read; an owner's reading is not recorded."""
    async with connections.connection() as connection:
        rows = await history_of(connection, post_id)
    is_owner = bool(rows) and audited(rows[0]).data.get("user_id") == str(request.user.id)
    if not is_owner and request.user.role == "user":
        raise PostNotFound(post_id)
    if not is_owner:
        await _record(connections, request, filters=dict(request.query_params))
    if not rows:
        raise PostNotFound(post_id)
    return rows


async def _record(
    connections: Connections, request: AuthenticatedRequest, *, filters: dict[str, Any]
) -> None:
    if request.user.role == "user":
        raise InsufficientRole(request.user.role)
    access = Access(
        actor=request.user.actor,
        role=request.user.role,
        question=request.url.path,
        filters=filters,
        correlation_id=correlation_id_of(request),
    )
    async with connections.connection() as connection:
        await record_access(connection, access)


async def _page(
    connections: Connections, event_filter: EventFilter, page: EventPageQuery
) -> EventPage:
    async with connections.connection() as connection:
        return await page_of_events(
            connection,
            event_filter,
            limit=page.limit or DEFAULT_EVENTS,
            order=page.order,
            after=page.after,
        )


async def _lines(
    connections: Connections, event_filter: EventFilter, page: EventPageQuery
) -> AsyncIterator[bytes]:
    encoder = msgspec.json.Encoder()
    batches = stream_events(
        connections.connection, event_filter, order=page.order, after=page.after, limit=page.limit
    )
    async for batch in batches:
        yield encoder.encode_lines(batch)


def _require_time_zones(**times: datetime | None) -> None:
    for name, time in times.items():
        if time is not None and time.tzinfo is None:
            raise InvalidQuery(f"Add a time zone to {name}, such as Z.")


audit_router = Router("/", route_handlers=[read_history, read_state, read_events])
