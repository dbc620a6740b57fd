"""`nova audit checkpoint|prove|check`: evidence that can be verified without the database."""

from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from api.cli.errors import friendly_errors
from api.cli.options import Out
from api.cli.output import console, errors, quantity
from api.cli.session import AuditSession, run_audited, run_on_database
from api.settings import audit_settings
from domain.settings import WrongSettings
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
from projections.log_tree.proofs import export_checkpoint, export_proof

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
