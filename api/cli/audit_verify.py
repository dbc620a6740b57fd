"""`nova audit verify`: the Merkle tree over the log, and the lifecycle of every post."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from msgspec import to_builtins
from psycopg import AsyncConnection

from api.cli.errors import friendly_errors
from api.cli.log_keys import PublicKey, log_verifier, read_verifier
from api.cli.options import AsJson
from api.cli.output import print_json, quantity
from api.cli.progress import show_progress
from api.cli.session import run_on_database, run_on_standby
from projections.audit.lifecycles import Lifecycles, audit_lifecycles
from projections.log_tree.evidence import (
    Checkpoint,
    check_evidence,
    checkpoint_of,
    decode_evidence,
)
from projections.log_tree.finding_words import describe_finding
from projections.log_tree.findings import Finding
from projections.log_tree.keys import open_signer
from projections.log_tree.notes import Verifier
from projections.log_tree.sealing import seal as seal_log
from projections.log_tree.verification import LogVerification
from projections.log_tree.verification import verify as verify_log
from projections.settings import audit_settings

_Walk: TypeAlias = tuple[LogVerification, int, Lifecycles | None]


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
    public_key: PublicKey = None,
    *,
    seal: Annotated[bool, typer.Option("--seal", help="Seal new events afterwards.")] = False,
    as_json: AsJson = False,
) -> None:
    """Verify the Merkle tree over the log, and every post's state transitions."""
    exported = [_read(path, public_key) for path in checkpoints or []]
    verifier = log_verifier(public_key)
    # A standby may lack what was exported, and takes no seals.
    run = run_on_database if seal or exported else run_on_standby
    found, sealed, lifecycles = run(
        lambda connection: _walk(connection, exported, verifier, seal=seal, as_json=as_json)
    )
    if as_json:
        print_json(
            {**to_builtins(found), "sealed_now": sealed, "lifecycles": to_builtins(lifecycles)}
        )
    else:
        _print_verification(found, sealed=sealed)
        _print_lifecycles(lifecycles)
    raise typer.Exit(0 if lifecycles and lifecycles.are_legal else 1)


def _read(path: Path, public_key: Path | None) -> Checkpoint:
    evidence = decode_evidence(path.read_bytes())
    checkpoint = checkpoint_of(evidence).checkpoint
    check_evidence(evidence, verifier=read_verifier(public_key, origin=checkpoint.origin))
    return checkpoint


async def _walk(
    connection: AsyncConnection[object],
    exported: list[Checkpoint],
    verifier: Verifier | None,
    *,
    seal: bool,
    as_json: bool,
) -> _Walk:
    with show_progress("verifying", unit="events", as_json=as_json) as progress:
        found = await verify_log(
            connection, exported=exported, verifier=verifier, progress=progress.update
        )
    if found.finding:
        # A damaged tree is not extended, and transitions of changed events prove nothing.
        return found, 0, None
    sealed = await seal_log(connection, open_signer(audit_settings())) if seal else 0
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
    typer.echo(f"FAILED: {describe_finding(finding)}")
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
