"""`nova projections`: the read tables watched, verified and rebuilt."""

import getpass
import os
import time
from functools import partial
from typing import Annotated, Final

import anyio
import typer
from msgspec import to_builtins

from api.cli.errors import friendly_errors
from api.cli.options import AsJson
from api.cli.output import print_json, quantity
from api.cli.pooler import require_sessions
from api.cli.progress import Reporter, show_progress
from api.cli.session import run_on_database
from projections.follow.failures import retry as clear_failure
from projections.follow.failures import skip as skip_event
from projections.follow.projection import PROJECTIONS, Projection
from projections.follow.status import Status, measured_statuses
from projections.rebuild.rebuild import Rebuilt
from projections.rebuild.rebuild import rebuild as rebuild_tables
from projections.rebuild.verify import Verification
from projections.rebuild.verify import verify as verify_tables
from projections.settings import owner_settings

DEFAULT_BATCH: Final = 5000
DEFAULT_WORKERS: Final = min(4, os.cpu_count() or 1)


def _projection(name: str) -> Projection:
    if name not in PROJECTIONS:
        raise typer.BadParameter(f"no projection {name!r}, choose from {', '.join(PROJECTIONS)}")
    return PROJECTIONS[name]


Name = Annotated[Projection, typer.Argument(parser=_projection, metavar="NAME", help="Projection.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that share the work.", metavar="N")]


@friendly_errors()
def status(*, as_json: AsJson = False) -> None:
    """Show position, lag, rate, runner and last error. Exits 1 if a projection is stopped."""
    found = run_on_database(partial(measured_statuses, projections=PROJECTIONS.values()))
    for one in found:
        if as_json:
            print_json(one)
        else:
            typer.echo("\n".join(_status_lines(one)))
    raise typer.Exit(1 if any(one.stopped_at for one in found) else 0)


@friendly_errors()
def verify(
    name: Annotated[
        Projection | None,
        typer.Argument(parser=_projection, metavar="NAME", help="Projection, or all of them."),
    ] = None,
    workers: Workers = DEFAULT_WORKERS,
    *,
    as_json: AsJson = False,
) -> None:
    """Compare live tables with the log at one position. Exits 1 if they differ."""
    differ = False
    for projection in [name] if name else PROJECTIONS.values():
        found = run_on_database(partial(verify_tables, projection=projection, workers=workers))
        if as_json:
            print_json(found)
        else:
            _print_verification(found)
        differ = differ or bool(found.differences)
    raise typer.Exit(1 if differ else 0)


@friendly_errors()
def rebuild(
    name: Name,
    batch: Annotated[
        int, typer.Option(min=1, help="Events per batch.", metavar="N")
    ] = DEFAULT_BATCH,
    workers: Workers = DEFAULT_WORKERS,
    *,
    as_json: AsJson = False,
) -> None:
    """Build new tables beside the live ones, verify them and swap them in."""
    url, started = owner_settings().url, time.monotonic()
    require_sessions(url)
    with show_progress("start", unit="events", as_json=as_json) as progress:
        report = _Phases(progress).report
        build = partial(rebuild_tables, report=report, batch_events=batch, workers=workers)
        rebuilt = anyio.run(build, url, name)
    _print_rebuilt(rebuilt, seconds=time.monotonic() - started, as_json=as_json)


@friendly_errors()
def retry(name: Name) -> None:
    """Retry the event at which a projection is stopped."""
    position = run_on_database(lambda connection: clear_failure(connection, name.name))
    if position is None:
        typer.echo(f"Projection {name.name} is not stopped.")
    else:
        typer.echo(f"Retrying position {position} of {name.name}.")


@friendly_errors()
def skip(
    name: Name,
    position: Annotated[
        int, typer.Argument(min=1, help="Position at which it is stopped.", metavar="POSITION")
    ],
    reason: Annotated[str, typer.Option(help="Reason, which is recorded.", metavar="TEXT")],
) -> None:
    """Skip the one event at which a projection is stopped. Who skipped it is recorded."""
    by = getpass.getuser()
    run_on_database(
        lambda connection: skip_event(connection, name.name, position, reason=reason, by=by)
    )
    typer.echo(f"Skipped position {position} of {name.name}.")


class _Phases:
    """Turns the reports of a rebuild into phases of one progress bar."""

    def __init__(self, progress: Reporter) -> None:
        self._progress = progress
        self._phase = ""

    def report(self, phase: str, position: int, target: int) -> None:
        if phase != self._phase:
            self._phase = phase
            self._progress.start(phase, position, target)
        self._progress.update(position, target)


def _status_lines(one: Status) -> list[str]:
    lines = [
        one.projection,
        f"  position  {one.position:,} of {one.head:,}",
        f"  lag       {one.lag_events:,} events, {one.lag_seconds:.1f} s",
        f"  rate      {one.events_per_second or 0:,.0f} events/s",
        f"  running   {one.running_where or 'nowhere'}",
    ]
    if one.skipped_events:
        lines.append(f"  skipped   {one.skipped_events} events")
    if one.stopped_at:
        lines.append(f"  stopped   at position {one.stopped_at}: {one.last_error}")
    return lines


def _print_verification(found: Verification) -> None:
    result = "FAILED" if found.differences else "OK"
    differences = quantity(len(found.differences), "difference")
    events = f"{quantity(found.events, 'event')}, {found.skipped_events} skipped"
    place = f"at position {found.position:,} ({events})"
    typer.echo(f"{result}: {found.projection} has {differences} {place}.")
    for table in found.tables:
        sign = "=" if table.expected_digest == table.found_digest else "≠"
        typer.echo(
            f"  {table.table:15} {table.found_rows:>9,} rows, {table.expected_rows:>9,} expected "
            f"{table.found_digest[:12]} {sign} {table.expected_digest[:12]}"
        )
    for one in found.differences:
        typer.echo(f"  {one.table} {one.key}: expected {one.expected}, found {one.found}")


def _print_rebuilt(rebuilt: Rebuilt, *, seconds: float, as_json: bool) -> None:
    found = rebuilt.verification
    if as_json:
        done = {"projection": found.projection, "position": rebuilt.position}
        print_json({**done, "seconds": round(seconds, 3), "tables": to_builtins(found.tables)})
        return
    pace = f"{found.events / seconds:,.0f} events/s"
    typer.echo(
        f"OK: {found.projection} rebuilt, verified and swapped in at position "
        f"{rebuilt.position:,} ({found.events:,} events in {seconds:.1f} s, {pace})."
    )
