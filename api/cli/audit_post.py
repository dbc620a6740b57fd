"""`nova audit post`: the history of one post, each event compared with what was sealed."""

from typing import Annotated
from uuid import UUID

import typer
from msgspec import Struct
from msgspec.structs import asdict

from api.cli.audit import event_columns, event_row
from api.cli.errors import EXIT_WRONG, friendly_errors
from api.cli.findings import describe_finding
from api.cli.options import AsJson
from api.cli.output import print_json, print_table, quantity
from api.cli.session import AuditSession, run_audited
from domain.errors import PostNotFound
from projections.audit.events import AuditedEvent, audited, history_of
from projections.log_tree.findings import Finding
from projections.log_tree.history import Verdict, verify_history


class _VerifiedEvent(AuditedEvent, frozen=True, kw_only=True):
    verdict: Verdict


class _History(Struct, frozen=True, kw_only=True):
    post_id: UUID
    items: list[_VerifiedEvent]
    findings: list[Finding]


@friendly_errors()
def post(
    post_id: Annotated[UUID, typer.Argument(help="Id of the post.", metavar="POST_ID")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show the history of one post. Exits 1 if an event differs from the sealed log."""

    async def query(session: AuditSession) -> _History:
        await session.record("nova audit post", post_id=str(post_id))
        return await _verified_history(session, post_id)

    history = run_audited(query)
    if as_json:
        print_json(history)
    else:
        _print_history(history)
    if history.findings:
        raise typer.Exit(EXIT_WRONG)


async def _verified_history(session: AuditSession, post_id: UUID) -> _History:
    # The events first: a later comparison knows a verdict for each of them.
    events = [audited(row) for row in await history_of(session.connection, post_id)]
    verified = await verify_history(session.connection, post_id)
    if not events and not verified.findings:
        raise PostNotFound(post_id)
    return _History(
        post_id=post_id,
        items=[
            _VerifiedEvent(**asdict(event), verdict=verified.verdicts[event.position])
            for event in events
        ],
        findings=verified.findings,
    )


def _print_history(history: _History) -> None:
    for finding in history.findings:
        typer.echo(f"FAILED: {describe_finding(finding)}")
    if not history.findings:
        sealed = sum(event.verdict == "sealed" for event in history.items)
        unsealed = len(history.items) - sealed
        later = f", {unsealed} not sealed yet" if unsealed else ""
        typer.echo(f"OK: {quantity(sealed, 'event')} as sealed{later}.")
    rows = [(event.verdict, *event_row(event)) for event in history.items]
    print_table(("verdict", *event_columns()), rows)
