"""`nova audit`: the verbs of auditors and operators, straight on the database.

Every verb loads only what it needs, when it runs.
"""
# ruff: noqa: PLC0415 - as the first lines say

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.cli.explained import explained

if TYPE_CHECKING:
    from api.cli.audit_session import AuditDesk

audit_app = typer.Typer(
    name="audit",
    help="Ask the event log what happened; that you asked is recorded.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DEFAULT_LINES = 50
PLOT_FORMATS = (".svg", ".png", ".pdf")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class OrderName(StrEnum):
    """Which end of the log comes first."""

    NEWEST = "newest"
    OLDEST = "oldest"


class TopicName(StrEnum):
    """What kinds of events there are."""

    CREATED = "post.created"
    UPLOADED = "post.uploaded"
    VARIANT_READY = "post.variant_ready"
    PUBLISHED = "post.published"
    FAILED = "post.failed"
    RETRIED = "post.retried"
    REPROCESSED = "post.reprocessed"
    NOT_REPROCESSED = "post.not_reprocessed"
    DELETED = "post.deleted"


def _time(text: str) -> datetime:
    """A time (UTC unless it says otherwise), or so long ago: 90s, 15m, 24h, 7d."""
    if ago := re.fullmatch(r"(\d{1,6})([smhd])", text):
        return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("a time like 2026-11-23T12:00:00Z, or 24h ago") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise typer.BadParameter("no actor has this character")
    return text


_WHEN = "TIME|7d|24h"
Since = Annotated[
    datetime | None,
    typer.Option(parser=_time, metavar=_WHEN, help="From this time on."),
]
Until = Annotated[
    datetime | None,
    typer.Option(parser=_time, metavar=_WHEN, help="Before this time."),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for machines.")]


@audit_app.command()
def post(
    post_id: Annotated[UUID, typer.Argument(help="Whose history.")], *, as_json: AsJson = False
) -> None:
    """Show the history of one post."""
    from api.cli.audit_reports import report_post

    _at_the_desk(lambda desk: report_post(desk, post_id, as_json=as_json))


@audit_app.command()
def events(  # noqa: PLR0913, PLR0917 - an option for each thing that can be asked
    event_type: Annotated[TopicName | None, typer.Option("--type", help="Of this kind.")] = None,
    post_id: Annotated[UUID | None, typer.Option("--post", help="Of this post.")] = None,
    user_id: Annotated[UUID | None, typer.Option("--user", help="Of this user's posts.")] = None,
    actor: Annotated[
        str | None, typer.Option(parser=_without_nul, help="Caused by this actor.")
    ] = None,
    since: Since = None,
    until: Until = None,
    after: Annotated[int | None, typer.Option(min=0, help="Following this position.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = DEFAULT_LINES,
    order: Annotated[OrderName, typer.Option(help="Which come first.")] = OrderName.NEWEST,
    *,
    as_json: AsJson = False,
) -> None:
    """List events of the whole log; with --json one line for each."""
    from api.cli.audit_reports import report_events
    from api.http.schemas.audit import EventPageQuery
    from projections.audit.events import EventFilter

    asked = EventFilter(
        type=event_type.value if event_type else None,
        post_id=post_id,
        user_id=user_id,
        actor=actor,
        since=since,
        until=until,
    )
    page = EventPageQuery(after=after, limit=limit, order=order.value)
    _at_the_desk(lambda desk: report_events(desk, asked, page, as_json=as_json))


@audit_app.command()
def export(
    since: Since = None,
    until: Until = None,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="The file; standard output without it.")
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="What was exported, as JSON on standard error.")
    ] = False,
) -> None:
    """Write every event of a span as one JSON line, oldest first."""
    from api.cli.audit_export import export_events
    from projections.audit.events import EventFilter

    asked = EventFilter(since=since, until=until)
    _at_the_desk(lambda desk: export_events(desk, asked, out=out, as_json=as_json))


@audit_app.command()
def stats(*, as_json: AsJson = False) -> None:
    """Count the events by type and the posts by status."""
    from api.cli.audit_reports import report_stats

    _at_the_desk(lambda desk: report_stats(desk, as_json=as_json))


@audit_app.command()
def accesses(
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = DEFAULT_LINES,
    *,
    as_json: AsJson = False,
) -> None:
    """List who read the audit trail, newest first; with --json one line for each."""
    from api.cli.audit_reports import report_accesses

    _at_the_desk(lambda desk: report_accesses(desk, limit=limit, as_json=as_json))


@audit_app.command()
def slo(
    since: Since = None,
    until: Until = None,
    plot: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Draw a histogram into this file: .svg, .png or .pdf."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Tell from the events alone how long posts took from complete to published."""
    from api.cli.audit_slo import report_slo

    if plot is not None and plot.suffix not in PLOT_FORMATS:
        allowed = ", ".join(PLOT_FORMATS)
        raise typer.BadParameter(f"a histogram is drawn as {allowed}", param_hint="--plot")
    _at_the_desk(
        lambda desk: report_slo(desk, since=since, until=until, plot=plot, as_json=as_json)
    )


def _at_the_desk(ask: "Callable[[AuditDesk], Awaitable[None]]") -> None:
    """Open the database, ask, and turn the errors that people can mend into one line."""
    import anyio

    from api.cli.audit_session import open_audit_desk
    from projections.settings import database_settings

    async def sit_and_ask(url: str) -> None:
        async with open_audit_desk(url) as desk:
            await ask(desk)

    with explained():
        anyio.run(sit_and_ask, database_settings().url)
