"""`nova audit verify|checkpoint|prove|check`: evidence that the log was not changed."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from msgspec import to_builtins
from msgspec.structs import replace
from psycopg import AsyncConnection

from api.cli.errors import friendly_errors
from api.cli.options import AsJson, Out
from api.cli.output import console, errors, print_json, quantity
from api.cli.progress import show_progress
from api.cli.session import AuditSession, run_audited, run_on_database
from api.settings import audit_settings
from domain.settings import WrongSettings
from projections.audit.lifecycles import Lifecycles, audit_lifecycles
from projections.log_tree.evidence import (
    Checkpoint,
    Evidence,
    check_evidence,
    decode_evidence,
    encode_evidence,
    public_key_of,
    sign,
    signing_key,
)
from projections.log_tree.findings import Finding
from projections.log_tree.proofs import export_checkpoint, export_proof
from projections.log_tree.sealing import seal as seal_log
from projections.log_tree.verification import LogVerification
from projections.log_tree.verification import verify as verify_log

_Walk: TypeAlias = tuple[LogVerification, int, Lifecycles | None]

Older = Annotated[
    Path | None,
    typer.Option(
        "--since",
        exists=True,
        dir_okay=False,
        help="Prove as well that the log extends this older checkpoint.",
        metavar="FILE",
    ),
]


@friendly_errors()
def verify(
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint",
            exists=True,
            dir_okay=False,
            help="Exported checkpoint; repeatable.",
            metavar="FILE",
        ),
    ] = None,
    *,
    seal: Annotated[bool, typer.Option("--seal", help="Seal new events afterwards.")] = False,
    as_json: AsJson = False,
) -> None:
    """Verify the Merkle tree over the log, and every post's state transitions."""
    exported = [_read(path).checkpoint for path in checkpoints or []]
    found, sealed, lifecycles = run_on_database(
        lambda connection: _walk(connection, exported, seal=seal, as_json=as_json)
    )
    if as_json:
        print_json(
            {**to_builtins(found), "sealed_now": sealed, "lifecycles": to_builtins(lifecycles)}
        )
    else:
        _print_verification(found, sealed=sealed)
        _print_lifecycles(lifecycles)
    raise typer.Exit(0 if lifecycles and lifecycles.are_legal else 1)


@friendly_errors()
def checkpoint(out: Out = None, since: Older = None) -> None:
    """Export the latest checkpoint. Store it where database administrators cannot change it."""
    old = _read(since).checkpoint if since else None
    evidence = run_on_database(lambda connection: export_checkpoint(connection, since=old))
    _export(evidence, out, what="checkpoint")


@friendly_errors()
def prove(
    position: Annotated[
        int, typer.Argument(min=1, help="Position of the event in the log.", metavar="POSITION")
    ],
    out: Out = None,
    since: Older = None,
) -> None:
    """Export a proof that an event is in the log."""
    old = _read(since).checkpoint if since else None

    async def query(session: AuditSession) -> Evidence:
        # The proof holds the event's bytes, as a history does.
        await session.record("nova audit prove", position=position)
        return await export_proof(session.connection, position, since=old)

    _export(run_audited(query), out, what=f"proof of event {position}")


@friendly_errors()
def check(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="Checkpoint or proof.", metavar="FILE"),
    ],
    trusted: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            exists=True,
            dir_okay=False,
            help="Older checkpoint you trust.",
            metavar="FILE",
        ),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Key that must have signed it, as PEM or base64.",
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Verify a checkpoint or proof offline."""
    key = public_key_of(public_key.read_bytes()) if public_key else None
    old = _read(trusted).checkpoint if trusted else None
    for line in check_evidence(_read(file), trusted=old, public_key=key):
        console.print(line, markup=False)


async def _walk(
    connection: AsyncConnection[object], exported: list[Checkpoint], *, seal: bool, as_json: bool
) -> _Walk:
    with show_progress("verifying", unit="events", as_json=as_json) as progress:
        found = await verify_log(connection, exported=exported, progress=progress.update)
    if found.finding:
        # A damaged tree is not extended, and transitions of changed events prove nothing.
        return found, 0, None
    sealed = await seal_log(connection) if seal else 0
    with show_progress("replaying posts", unit="events", as_json=as_json) as progress:
        return found, sealed, await audit_lifecycles(connection, progress=progress.update)


def _print_verification(found: LogVerification, *, sealed: int) -> None:
    if found.finding:
        _print_finding(found.finding, intact=found.events)
    else:
        checkpoints = quantity(found.checkpoints, "checkpoint")
        typer.echo(f"OK: {quantity(found.events, 'event')} match {checkpoints}.")
    if found.unsealed:
        state = "sealed now" if sealed else "not sealed yet"
        typer.echo(f"{quantity(found.unsealed, 'event')} since the last checkpoint, {state}.")


def _print_finding(finding: Finding, *, intact: int) -> None:
    until = f" to {finding.until_position}" if finding.until_position else ""
    name = f", event {finding.version} of post {finding.post_id}" if finding.post_id else ""
    place = f"{finding.what} at position {finding.position}{until}{name}"
    typer.echo(f"FAILED: {place}: {finding.detail}")
    if finding.until_position is None:
        typer.echo(f"{quantity(intact, 'event')} before it match.")


def _print_lifecycles(lifecycles: Lifecycles | None) -> None:
    if lifecycles is None:
        return
    counts = ", ".join(f"{count} {status}" for status, count in sorted(lifecycles.statuses.items()))
    result = "OK" if lifecycles.are_legal else "FAILED"
    typer.echo(f"{result}: {quantity(lifecycles.posts, 'post')} replayed ({counts or 'none'}).")
    for transition in lifecycles.illegal:
        name = f"event {transition.version} of post {transition.post_id} ({transition.topic})"
        typer.echo(f"{name} is illegal: {transition.reason}")
    for post_id in lifecycles.forgotten:
        typer.echo(f"post {post_id} is processing and has no job")


def _read(path: Path) -> Evidence:
    return decode_evidence(path.read_bytes())


def _export(evidence: Evidence, out: Path | None, *, what: str) -> None:
    evidence = replace(evidence, checkpoint=_sign(evidence.checkpoint))
    content = encode_evidence(evidence)
    if out is None:
        typer.echo(content.decode(), nl=False)
    else:
        out.write_bytes(content)
    how = "signed" if evidence.checkpoint.signature else "not signed: AUDIT_SIGNING_KEY is not set"
    where = f" to {out}" if out else ""
    size = evidence.checkpoint.tree_size
    errors.print(
        f"Exported the {what}{where} (tree of {quantity(size, 'event')}, {how}).", markup=False
    )


def _sign(checkpoint: Checkpoint) -> Checkpoint:
    key = audit_settings().signing_key
    if key is None:
        return checkpoint
    try:
        return sign(checkpoint, signing_key(key))
    except (ValueError, OSError) as error:
        raise WrongSettings([f"AUDIT_SIGNING_KEY is wrong: {error}"]) from error
