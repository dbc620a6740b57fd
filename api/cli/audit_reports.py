"""Audit reports: events, accesses and figures as tables for people and JSON for machines."""

import sys
from collections.abc import Iterable
from typing import Final
from uuid import UUID

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.audit_session import AuditDesk
from api.http.schemas.audit import EventPageQuery, PostHistory
from domain.errors import PostNotFound
from projections.audit.accesses import newest_accesses
from projections.audit.events import AuditedEvent, EventFilter, audited, history_of, stream_events
from projections.audit.stats import AuditStats, audit_stats

WIDE: Final = 400
# Away from a terminal, a line is as long as what it tells.
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)


def print_json(value: object) -> None:
    """One JSON line."""
    print(msgspec.json.encode(value).decode())  # noqa: T201 - machines read standard output


async def report_post(desk: AuditDesk, post_id: UUID, *, as_json: bool) -> None:
    """The history of one post.

    Raises:
        PostNotFound: it has none.
    """
    await desk.record("nova audit post", post_id=str(post_id))
    rows = await history_of(desk.connection, post_id)
    if not rows:
        raise PostNotFound(post_id)
    history = PostHistory(post_id=post_id, items=[audited(row) for row in rows])
    if as_json:
        print_json(history)
    else:
        console.print(_event_table(history.items))


async def report_events(
    desk: AuditDesk, asked: EventFilter, page: EventPageQuery, *, as_json: bool
) -> None:
    """Events of the whole log."""
    filters = {**msgspec.to_builtins(asked), **msgspec.to_builtins(page)}
    await desk.record("nova audit events", **filters)
    batches = stream_events(
        desk.connect, asked, order=page.order, after=page.after, limit=page.limit
    )
    async for batch in batches:
        if not as_json:
            console.print(_event_table(batch))
        for event in batch if as_json else []:
            print_json(event)


async def report_stats(desk: AuditDesk, *, as_json: bool) -> None:
    """The log in figures."""
    await desk.record("nova audit stats")
    stats = await audit_stats(desk.connection)
    if as_json:
        print_json(stats)
    else:
        console.print(_stats_table(stats))


async def report_accesses(desk: AuditDesk, *, limit: int, as_json: bool) -> None:
    """Who read the audit trail."""
    await desk.record("nova audit accesses", limit=limit)
    found = await newest_accesses(desk.connection, limit=limit)
    if as_json:
        for access in found:
            print_json(access)
        return
    table = _table("recorded at", "actor", "role", "question", "filters")
    for access in found:
        filters = " ".join(f"{name}={value}" for name, value in access.filters.items())
        at = access.recorded_at.isoformat(timespec="seconds")
        table.add_row(*map(escape, (at, access.actor, access.role, access.question, filters)))
    console.print(table)


def _event_table(events: Iterable[AuditedEvent]) -> Table:
    table = _table("position", "recorded at", "type", "post", "version", "actor", "told")
    for event in events:
        cells = (
            str(event.position),
            str(event.recorded_at),
            event.type,
            str(event.post_id),
            str(event.version),
            str(event.actor),
            _told(event),
        )
        table.add_row(*map(escape, cells))
    return table


def _told(event: AuditedEvent) -> str:
    """The few words that tell one event from others of its kind."""
    names = ("filename", "variant", "milliseconds", "code", "stage", "reason", "unreadable_state")
    facts = event.data
    if isinstance(variant := facts.get("variant"), dict):
        facts = {**facts, **variant, "variant": variant["name"]}
    return " ".join(f"{name}={facts[name]}" for name in names if facts.get(name) is not None)


def _stats_table(stats: AuditStats) -> Table:
    table = _table("what", "how many")
    table.add_row("events", f"{stats.events:,}")
    for name, count in sorted(stats.events_by_type.items()):
        table.add_row(f"  {escape(name)}", f"{count:,}")
    for name, count in sorted(stats.posts_by_status.items()):
        table.add_row(f"posts {escape(name)}", f"{count:,}")
    table.add_row("first event", f"{stats.first_position} at {stats.first_recorded_at}")
    table.add_row("last event", f"{stats.last_position} at {stats.last_recorded_at}")
    table.add_row("accesses to this trail", f"{stats.accesses:,}")
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
