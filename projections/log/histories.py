"""Histories: all events of each post up to a position of the log, post by post."""

from collections.abc import AsyncGenerator, Callable
from typing import Any, Final, LiteralString, TypeAlias
from uuid import UUID

from psycopg import AsyncConnection, sql
from psycopg.rows import tuple_row

from domain.event_store.mapper import EventRow, UnreadableEvent, decode_event
from domain.events import Event
from projections.log.shards import Posts, Shard

Scope: TypeAlias = Shard | Posts
# Some 2 MB of events: enough to make round trips cheap.
FETCH_ROWS: Final = 2000

_BY_POST: Final[LiteralString] = """
SELECT originator_id, originator_version, topic, state, notification_id FROM post_events
WHERE notification_id <= {position} AND {in_scope}
ORDER BY originator_id, originator_version
"""


async def histories(
    connection: AsyncConnection[object],
    scope: Scope,
    *,
    position: int,
    left_out: frozenset[int] = frozenset(),
    unreadable: Callable[[UnreadableEvent], None] | None = None,
) -> AsyncGenerator[tuple[UUID, list[Event]], None]:
    """Each post of `scope` with its events up to `position`, in the order of ids and versions.

    Needs the caller's transaction; memory holds one post and `FETCH_ROWS` events. With
    `unreadable`, events that cannot be decoded are passed to it and left out.

    Raises:
        UnreadableEvent: an event that is not `left_out` cannot be decoded, without `unreadable`.
    """
    query = sql.SQL(_BY_POST).format(position=position, in_scope=scope.holds("originator_id"))
    events: list[Event] = []
    current: UUID | None = None
    async for post_id, version, topic, state, at in stream(connection, "histories", query):
        if post_id != current:
            if current is not None:
                yield current, events
            current, events = post_id, []
        if at not in left_out:
            row = EventRow(post_id=post_id, version=version, topic=topic, state=state)
            try:
                events.append(decode_event(row))
            except UnreadableEvent as error:
                if unreadable is None:
                    raise
                unreadable(error)
    if current is not None:
        yield current, events


async def stream(
    connection: AsyncConnection[object], name: str, query: sql.Composed
) -> AsyncGenerator[tuple[Any, ...], None]:
    """The rows of a query, fetched `FETCH_ROWS` at a time by a server-side cursor of this name."""
    async with connection.cursor(name, row_factory=tuple_row) as cursor:
        await cursor.execute(query, binary=True)
        while rows := await cursor.fetchmany(FETCH_ROWS):
            for row in rows:
                yield row
