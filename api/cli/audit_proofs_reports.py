"""What `nova audit verify` prints: sentences for people, one JSON line for machines."""

import typer
from msgspec import to_builtins

from api.cli.audit_reports import print_json
from projections.audit.lifecycles import Lifecycles
from projections.log_tree.verification import Verification


def report_verification(
    found: Verification, *, sealed: int, lifecycles: Lifecycles | None, as_json: bool
) -> None:
    """Print the findings about the log and, unless it is damaged, about lifecycles."""
    if as_json:
        print_json(
            {**to_builtins(found), "sealed_now": sealed, "lifecycles": to_builtins(lifecycles)}
        )
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
    if lifecycles is not None:
        _report_lifecycles(lifecycles)


def _report_lifecycles(lifecycles: Lifecycles) -> None:
    how_many = ", ".join(
        f"{number} {status}" for status, number in sorted(lifecycles.statuses.items())
    )
    typer.echo(f"{lifecycles.posts} posts: {how_many or 'none'}.")
    for transition in lifecycles.illegal:
        name = f"event {transition.version} of post {transition.post_id} ({transition.topic})"
        typer.echo(f"{name} is illegal: {transition.reason}")
    for post_id in lifecycles.forgotten:
        typer.echo(f"post {post_id} is processing without a job")
