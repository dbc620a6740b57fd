"""`nova audit checkpoint|prove|check`: evidence that can be verified without the database."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from api.cli.errors import friendly_errors
from api.cli.log_keys import PublicKey, log_signer, read_verifier
from api.cli.options import Out
from api.cli.output import console, errors, quantity
from api.cli.session import AuditSession, run_audited, run_on_database
from projections.audit.report_check import check_report, is_report, origin_of
from projections.log_tree.evidence import (
    Checkpoint,
    Evidence,
    InclusionProof,
    check_evidence,
    checkpoint_of,
    decode_evidence,
)
from projections.log_tree.proofs import export_checkpoint, export_proof, export_proofs_of_post


@friendly_errors()
def checkpoint(
    out: Out = None,
    since: Annotated[
        Path | None,
        typer.Option(
            "--since",
            exists=True,
            dir_okay=False,
            help="Prove as well that the log has only grown since this checkpoint.",
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Export the latest checkpoint. Store it where database administrators cannot change it."""
    old = checkpoint_of(_read(since)).checkpoint if since else None
    evidence = run_on_database(
        lambda connection: export_checkpoint(connection, log_signer(), since=old)
    )
    _write(str(evidence), out)
    _report("checkpoint", evidence, out)


@friendly_errors()
def prove(
    position: Annotated[
        int | None,
        typer.Argument(min=1, help="Position of the event in the log.", metavar="[POSITION]"),
    ] = None,
    post_id: Annotated[
        UUID | None,
        typer.Option("--post", help="Prove all events of this post.", metavar="POST_ID"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write to this file; with --post, one file per event into this folder.",
            metavar="PATH",
        ),
    ] = None,
) -> None:
    """Export the proof that an event, or each event of a post, is in the log."""
    if (position is None) == (post_id is None):
        raise typer.BadParameter("pass either POSITION or --post POST_ID")

    async def query(session: AuditSession) -> list[InclusionProof]:
        signer = log_signer()
        # The proof holds the event's bytes, as a history does.
        post = str(post_id) if post_id else None
        await session.record("nova audit prove", position=position, post_id=post)
        if post_id is not None:
            return await export_proofs_of_post(session.connection, post_id, signer)
        assert position is not None  # noqa: S101 - one of both is given
        return [await export_proof(session.connection, position, signer)]

    proofs = run_audited(query)
    if post_id is None:
        _write(str(proofs[0]), out)
        _report(f"proof of event {position}", proofs[0], out)
    else:
        _write_proofs(proofs, out)
        _report(f"proofs of {quantity(len(proofs), 'event')}", proofs[0], out)


@friendly_errors()
def check(
    files: Annotated[
        list[Path],
        typer.Argument(
            exists=True, dir_okay=False, help="Checkpoints, proofs or reports.", metavar="FILE"
        ),
    ],
    trusted: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            exists=True,
            dir_okay=False,
            help="Checkpoint you trust.",
            metavar="FILE",
        ),
    ] = None,
    public_key: PublicKey = None,
) -> None:
    """Verify checkpoints, proofs and reports offline."""
    old = checkpoint_of(_read(trusted)).checkpoint if trusted else None
    for file in files:
        for line in _check(file.read_bytes(), old, public_key):
            console.print(line, markup=False)


def _check(content: bytes, trusted: Checkpoint | None, public_key: Path | None) -> list[str]:
    if is_report(content):
        verifier = read_verifier(public_key, origin=origin_of(content))
        return check_report(content, trusted=trusted, verifier=verifier)
    evidence = decode_evidence(content)
    verifier = read_verifier(public_key, origin=checkpoint_of(evidence).checkpoint.origin)
    return check_evidence(evidence, trusted=trusted, verifier=verifier)


def _read(path: Path) -> Evidence:
    return decode_evidence(path.read_bytes())


def _write(content: str, out: Path | None) -> None:
    if out is None:
        typer.echo(content, nl=False)
    else:
        out.write_text(content)


def _write_proofs(proofs: Sequence[InclusionProof], folder: Path | None) -> None:
    if folder is not None:
        folder.mkdir(exist_ok=True)
    for proof in proofs:
        name = f"event-{proof.event.version}.tlog-proof"
        _write(str(proof), folder and folder / name)


def _report(what: str, evidence: Evidence, out: Path | None) -> None:
    where = f" to {out}" if out else ""
    checkpoint = checkpoint_of(evidence).checkpoint
    size = quantity(checkpoint.tree_size, "event")
    errors.print(f"Exported the {what}{where} (log {checkpoint.origin}, {size}).", markup=False)
