"""`nova audit post`: the history of one post, each event compared with the sealed log."""

from typing import Annotated
from uuid import UUID

import typer

from api.cli.audit import event_columns, event_row
from api.cli.errors import EXIT_WRONG, friendly_errors
from api.cli.log_keys import PublicKey, log_verifier
from api.cli.options import AsJson
from api.cli.output import print_json, print_table, quantity
from api.cli.session import AuditSession, run_audited
from projections.audit.histories import PostHistory, read_verified_history
from projections.log_tree.finding_words import describe_finding


@friendly_errors()
def post(
    post_id: Annotated[UUID, typer.Argument(help="Id of the post.", metavar="POST_ID")],
    public_key: PublicKey = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the history of one post. Exits 1 if an event differs from the sealed log."""
    verifier = log_verifier(public_key)

    async def query(session: AuditSession) -> PostHistory:
        await session.record("nova audit post", post_id=str(post_id))
        return await read_verified_history(session.connection, post_id, verifier)

    history = run_audited(query)
    if as_json:
        print_json(history)
    else:
        _print_history(history)
    if history.findings:
        raise typer.Exit(EXIT_WRONG)


def _print_history(history: PostHistory) -> None:
    for finding in history.findings:
        typer.echo(f"FAILED: {describe_finding(finding)}")
    if not history.findings:
        sealed = sum(event.verdict == "sealed" for event in history.items)
        unsealed = len(history.items) - sealed
        later = f", {unsealed} not sealed yet" if unsealed else ""
        typer.echo(f"OK: {quantity(sealed, 'event')} {_match(history)}{later}.")
    rows = [(event.verdict, *event_row(event)) for event in history.items]
    print_table(("verdict", *event_columns()), rows)


def _match(history: PostHistory) -> str:
    if history.signed_by is None:
        return "match the sealed log, its signatures unchecked (AUDIT_PUBLIC_KEY is not set)"
    return f"match the log signed by {history.signed_by}"
