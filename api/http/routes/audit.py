"""Audit: the history of a post, the post at an earlier time, and the event log.

Owners read the history of their own posts. Auditors and operators read everything, and each of
their queries is recorded before it is answered.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
from litestar import Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.response import Stream

from api.http.authentication.requests import AuthenticatedRequest
from api.http.errors import InsufficientRole, InvalidQuery
from api.http.observability.correlation import correlation_id_of
from api.http.openapi.operations import NDJSON, ApiOperation, EventsOperation
from api.http.openapi.parameters import (
    ACTOR_QUERY,
    AFTER_QUERY,
    AS_OF_QUERY,
    EVENTS_QUERY,
    FORMAT_QUERY,
    ORDER_QUERY,
    POST_ID_QUERY,
    SINCE_QUERY,
    TYPE_QUERY,
    UNTIL_QUERY,
    USER_ID_QUERY,
    VERSION_QUERY,
    PostIdPath,
)
from api.http.openapi.responses import LINK, PATH, QUERY, problem_responses
from api.http.openapi.tags import AUDIT
from api.http.resources import Connections, UseResources
from api.http.routes.responses import link_to_next
from api.http.schemas.audit import (
    DEFAULT_EVENTS,
    MAX_EVENTS,
    EventPageQuery,
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
from projections.audit.histories import PostHistory, read_verified_history
from projections.log.reading import LogRow
from projections.queries.past_posts import events_until, post_after


def read_filter(
    event_type: Annotated[Topic | None, TYPE_QUERY] = None,
    post_id: Annotated[UUID | None, POST_ID_QUERY] = None,
    user_id: Annotated[UUID | None, USER_ID_QUERY] = None,
    actor: Annotated[str | None, ACTOR_QUERY] = None,
    since: Annotated[datetime | None, SINCE_QUERY] = None,
    until: Annotated[datetime | None, UNTIL_QUERY] = None,
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
    after: Annotated[int | None, AFTER_QUERY] = None,
    limit: Annotated[int | None, EVENTS_QUERY] = None,
    order: Annotated[Order, ORDER_QUERY] = "newest",
    response_format: Annotated[ResponseFormat, FORMAT_QUERY] = "json",
) -> EventPageQuery:
    """Read the page and the format from the query parameters."""
    if response_format == "json" and limit is not None and limit > MAX_EVENTS:
        raise InvalidQuery(f"Use limit={MAX_EVENTS} at most, or format=ndjson for more events.")
    return EventPageQuery(after=after, limit=limit, order=order, format=response_format)


@get(
    "/posts/{post_id:uuid}/events",
    operation_id="getPostHistory",
    response_description="The events of the post.",
    summary="Read the history of a post",
    operation_class=ApiOperation,
    responses=problem_responses(*PATH, PostNotFound),
)
async def read_history(
    post_id: PostIdPath, request: AuthenticatedRequest, resources: UseResources
) -> PostHistory:
    """Read all events of a post, even a deleted one. For its owner, auditors and operators.

    Each event is compared with the sealed log.
    """
    async with resources.connections.connection() as connection:
        rows = await history_of(connection, post_id)
    await _check_reader(resources.connections, post_id, rows, request=request)
    async with resources.connections.connection() as connection:
        return await read_verified_history(connection, post_id, resources.log_verifier)


@get(
    "/posts/{post_id:uuid}/state",
    operation_id="getPostState",
    response_description="The post as it was then.",
    summary="Read an earlier state of a post",
    operation_class=ApiOperation,
    responses=problem_responses(*PATH, *QUERY, PostNotFound),
)
async def read_state(
    post_id: PostIdPath,
    request: AuthenticatedRequest,
    resources: UseResources,
    as_of: Annotated[datetime | None, AS_OF_QUERY] = None,
    version: Annotated[int | None, VERSION_QUERY] = None,
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
    operation_id="listEvents",
    response_description="A page of events, or a stream of lines.",
    summary="Query the event log",
    operation_class=EventsOperation,
    response_headers=[LINK],
    responses=problem_responses(*QUERY, InsufficientRole),
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
) -> Response[EventPage]:
    """Query the event log: one page, or with `format=ndjson` everything after a position.

    `user_id` created the post, `actor` caused the event. `since` is inclusive, `until` exclusive.
    Pass `next_after` as `after` for the next page. Every query is recorded.
    """
    filters = {**msgspec.to_builtins(event_filter), **msgspec.to_builtins(page)}
    await _record(resources.connections, request, filters=filters)
    if page.format == "ndjson":
        lines = _lines(resources.connections, event_filter, page)
        return cast("Response[EventPage]", Stream(lines, media_type=NDJSON))
    events = await _page(resources.connections, event_filter, page)
    after = events.next_after
    return Response(
        events, headers={} if after is None else {"Link": link_to_next(request, after=after)}
    )


async def _history(
    connections: Connections, post_id: UUID, *, request: AuthenticatedRequest
) -> list[LogRow]:
    """The rows of a post that this caller may read; an owner's reading is not recorded."""
    async with connections.connection() as connection:
        rows = await history_of(connection, post_id)
    await _check_reader(connections, post_id, rows, request=request)
    if not rows:
        raise PostNotFound(post_id)
    return rows


async def _check_reader(
    connections: Connections, post_id: UUID, rows: list[LogRow], *, request: AuthenticatedRequest
) -> None:
    """Let auditors and operators read, and record it, or else the owner.

    Raises:
        PostNotFound: to everyone else.
    """
    is_owner = bool(rows) and audited(rows[0]).data.get("user_id") == str(request.user.id)
    if not is_owner and request.user.role == "user":
        raise PostNotFound(post_id)
    if not is_owner:
        await _record(connections, request, filters=dict(request.query_params))


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


audit_router = Router(
    "/", route_handlers=[read_history, read_state, read_events], tags=[AUDIT.name]
)
