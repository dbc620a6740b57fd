"""What `nova audit verify` prints: sentences for people, one JSON line for machines."""

import typer
from msgspec import to_builtins

from api.cli.audit_reports import print_json
from projections.audit.lifecycles import Paths
from projections.log_tree.verification import Verification


def report_verification(
    found: Verification, *, sealed: int, paths: Paths | None, as_json: bool
) -> None:
    """What a walk over the log found, and one along the paths of its posts if that made sense."""
    if as_json:
        print_json({**to_builtins(found), "sealed_now": sealed, "paths": to_builtins(paths)})
        return
    finding = found.finding
    if finding is None:
        typer.echo(f"{found.events} events are as they were sealed ({found.heads} heads fit).")
    else:
        until = f" to {finding.until_position}" if finding.until_position else ""
        name = f", event {finding.version} of post {finding.post_id}" if finding.post_id else ""
        typer.echo(f"{finding.what} at position {finding.position}{until}{name}: {finding.detail}")
        if finding.until_position is None:
            typer.echo(f"Before it, {found.events} events are as they were.")
    if found.unsealed:
        now = "sealed now" if sealed else "not sealed yet"
        typer.echo(f"{found.unsealed} events at the end of the log: {now}.")
    if paths is not None:
        _report_paths(paths)


def _report_paths(paths: Paths) -> None:
    how_many = ", ".join(f"{number} {status}" for status, number in sorted(paths.statuses.items()))
    typer.echo(f"{paths.posts} posts: {how_many or 'none'}.")
    for misstep in paths.missteps:
        name = f"event {misstep.version} of post {misstep.post_id} ({misstep.topic})"
        typer.echo(f"{name} cannot have happened: {misstep.why}")
    for post_id in paths.forgotten:
        typer.echo(f"post {post_id} is processing and nobody works on it")
