"""What `nova projections` prints: lines for people, one JSON line per projection for machines."""

from collections.abc import Sequence

import msgspec
import typer

from projections.follow.status import Status
from projections.rebuild.verify import Verification


def report_list(statuses: Sequence[Status], *, as_json: bool) -> None:
    """Print each projection's name, position and head."""
    for one in statuses:
        if as_json:
            listed = {"projection": one.projection, "position": one.position, "head": one.head}
            _print_json(listed)
        else:
            typer.echo(f"{one.projection}  position {one.position} of {one.head}")


def report_statuses(statuses: Sequence[Status], *, as_json: bool) -> None:
    """Print where each projection stands."""
    for one in statuses:
        if as_json:
            _print_json(one)
        else:
            typer.echo("\n".join(_status_lines(one)))


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


def report_verification(found: Verification, *, as_json: bool) -> None:
    """Print the counts, the digests and every difference."""
    if as_json:
        _print_json(found)
        return
    typer.echo(
        f"{found.projection} at position {found.position:,}: {found.events:,} events folded, "
        f"{found.skipped_events} skipped"
    )
    for table in found.tables:
        sign = "=" if table.expected_digest == table.found_digest else "≠"
        typer.echo(
            f"  {table.table:16} {table.found_rows:>9,} rows, {table.expected_rows:>9,} expected  "
            f"{table.found_digest[:12]} {sign} {table.expected_digest[:12]}"
        )
    for one in found.differences:
        typer.echo(f"  {one.table} {one.key}: expected {one.expected}, found {one.found}")
    typer.echo(f"  {len(found.differences)} differences")


def _print_json(value: object) -> None:
    typer.echo(msgspec.json.encode(value).decode())
