"""`nova audit events|stats|accesses`: what the event log holds, and who queried it."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec
import typer

from api.cli.errors import friendly_errors
from api.cli.options import DEFAULT_LINES, AsJson, Limit, Since, Until
from api.cli.output import print_json, print_table
from api.cli.session import AuditSession, run_audited
from api.http.schemas.audit import EventPageQuery
from projections.audit.accesses import RecordedAccess, newest_accesses
from projections.audit.events import (
    AuditedEvent,
    EventFilter,
    Order,
    Topic,
    stream_events,
)
from projections.audit.stats import AuditStats, audit_stats


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise typer.BadParameter("no actor contains a NUL character")
    return text


@friendly_errors()
def events(  # noqa: PLR0913, PLR0917 - an option for each filter
    event_type: Annotated[
        Topic | None, typer.Option("--type", help="Only this type.", metavar="TYPE")
    ] = None,
    post_id: Annotated[
        UUID | None, typer.Option("--post", help="Only this post.", metavar="ID")
    ] = None,
    user_id: Annotated[
        UUID | None, typer.Option("--user", help="Only this user's posts.", metavar="ID")
    ] = None,
    actor: Annotated[
        str | None,
        typer.Option(parser=_without_nul, help="Only events this actor caused.", metavar="TEXT"),
    ] = None,
    since: Since = None,
    until: Until = None,
    after: Annotated[
        int | None, typer.Option(min=0, help="Start after this position.", metavar="N")
    ] = None,
    limit: Limit = DEFAULT_LINES,
    order: Annotated[Order, typer.Option(help="Which events come first.")] = "newest",
    *,
    as_json: AsJson = False,
) -> None:
    """List events of the whole log."""
    chosen = EventFilter(
        type=event_type,
        post_id=post_id,
        user_id=user_id,
        actor=actor,
        since=since,
        until=until,
    )
    page = EventPageQuery(after=after, limit=limit, order=order)

    async def query(session: AuditSession) -> None:
        filters = {**msgspec.to_builtins(chosen), **msgspec.to_builtins(page)}
        await session.record("nova audit events", **filters)
        batches = stream_events(session.connect, chosen, order=order, after=after, limit=limit)
        async for batch in batches:
            if not as_json:
                _print_events(batch)
            for event in batch if as_json else []:
                print_json(event)

    run_audited(query)


@friendly_errors()
def stats(*, as_json: AsJson = False) -> None:
    """Count events by type and posts by status."""

    async def query(session: AuditSession) -> AuditStats:
        await session.record("nova audit stats")
        return await audit_stats(session.connection)

    found = run_audited(query)
    if as_json:
        print_json(found)
    else:
        print_table(("what", "count"), _stats_rows(found))


@friendly_errors()
def accesses(limit: Limit = DEFAULT_LINES, *, as_json: AsJson = False) -> None:
    """List who queried the audit trail, newest first."""

    async def query(session: AuditSession) -> list[RecordedAccess]:
        await session.record("nova audit accesses", limit=limit)
        return await newest_accesses(session.connection, limit=limit)

    found = run_audited(query)
    if not as_json:
        columns = ("recorded at", "actor", "role", "query", "filters")
        print_table(columns, [_access_row(access) for access in found])
    for access in found if as_json else []:
        print_json(access)


def _print_events(found: Sequence[AuditedEvent]) -> None:
    print_table(event_columns(), [event_row(event) for event in found])


def event_columns() -> tuple[str, ...]:
    """The names of an event's cells."""
    return ("position", "recorded at", "type", "post", "version", "actor", "details")


def event_row(event: AuditedEvent) -> tuple[str, ...]:
    """The cells that describe one event."""
    return (
        str(event.position),
        str(event.recorded_at),
        event.type,
        str(event.post_id),
        str(event.version),
        str(event.actor),
        _details(event),
    )


def _details(event: AuditedEvent) -> str:
    """The few fields that tell one event from others of its type."""
    names = ("filename", "variant", "milliseconds", "code", "stage", "reason", "unreadable_state")
    facts = dict(event.data)
    if isinstance(variant := facts.get("variant"), dict):
        facts |= {**variant, "variant": variant.get("name")}
    return " ".join(f"{name}={facts[name]}" for name in names if facts.get(name) is not None)


def _stats_rows(found: AuditStats) -> list[tuple[str, str]]:
    types, statuses = sorted(found.events_by_type.items()), sorted(found.posts_by_status.items())
    return [
        ("events", f"{found.events:,}"),
        *((f"  {name}", f"{count:,}") for name, count in types),
        *((f"posts {name}", f"{count:,}") for name, count in statuses),
        ("counted up to position", f"{found.counted_up_to:,}"),
        ("first event", f"{found.first_position} at {found.first_recorded_at}"),
        ("last event", f"{found.last_position} at {found.last_recorded_at}"),
        ("recorded queries", f"{found.accesses:,}"),
    ]


def _access_row(access: RecordedAccess) -> tuple[str, ...]:
    filters = " ".join(f"{name}={value}" for name, value in access.filters.items())
    at = access.recorded_at.isoformat(timespec="seconds")
    return (at, access.actor, access.role, access.question, filters)
