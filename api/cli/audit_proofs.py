"""`nova audit verify|head|prove|check|media`: evidence that history is as it was.

Every verb loads only what it needs, when it runs: `check` needs no database and no settings.
"""
# ruff: noqa: PLC0415 - as the first lines say

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer

from api.cli.explained import explained

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from projections.audit.lifecycles import Lifecycles
    from projections.log_tree.evidence import Evidence, Head
    from projections.log_tree.verification import Verification
    from transcoder.media_audit import AuditedVariant

proofs_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_T = TypeVar("_T")

AsJson = Annotated[bool, typer.Option("--json", help="JSON, for machines.")]
Out = Annotated[
    Path | None, typer.Option(dir_okay=False, help="The file; standard output without it.")
]
Since = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="Also prove that the log goes on from this older head."
    ),
]


@proofs_app.command()
def verify(
    head: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="An exported head; any number of them."),
    ] = None,
    *,
    seal: Annotated[bool, typer.Option("--seal", help="Seal what is not sealed yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """Walk the whole log: is it as it was sealed, and could each post have come that way?"""
    from api.cli.audit_proofs_reports import report_verification
    from projections.audit.lifecycles import audit_lifecycles
    from projections.log_tree.sealing import seal as seal_log
    from projections.log_tree.verification import verify as verify_log

    with _explained():
        heads = [_read(path).head for path in head or []]

        async def walk(
            connection: "AsyncConnection[object]",
        ) -> "tuple[Verification, int, Lifecycles | None]":
            with _progress("verifying") as show:
                found = await verify_log(connection, exported=heads, progress=show)
            if found.finding:
                # Nothing is added to a tree that is damaged, and its lifecycles say nothing.
                return found, 0, None
            sealed = await seal_log(connection) if seal else 0
            with _progress("following posts") as show:
                return found, sealed, await audit_lifecycles(connection, progress=show)

        found, sealed, lifecycles = _on_the_database(walk)
    report_verification(found, sealed=sealed, lifecycles=lifecycles, as_json=as_json)
    raise typer.Exit(0 if lifecycles and lifecycles.are_legal else 1)


@proofs_app.command()
def head(out: Out = None, since: Since = None) -> None:
    """Export the newest head of the log: keep it where the database's masters cannot reach."""
    from projections.log_tree.proofs import export_head

    with _explained():
        old = _read(since).head if since else None
        _export(_on_the_database(lambda connection: export_head(connection, since=old)), out)


@proofs_app.command()
def prove(
    position: Annotated[int, typer.Argument(min=1, help="The event's position in the log.")],
    out: Out = None,
    since: Since = None,
) -> None:
    """Export the proof that an event is in the log, with its bytes and the newest head."""
    from api.cli.audit_session import AuditDesk
    from projections.log_tree.proofs import export_proof

    with _explained():
        old = _read(since).head if since else None

        async def answer(connection: "AsyncConnection[object]") -> "Evidence":
            # It shows what is in the event, as a history does.
            await AuditDesk(connection).record("nova audit prove", position=position)
            return await export_proof(connection, position, since=old)

        _export(_on_the_database(answer), out)


@proofs_app.command()
def check(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A head or a proof.")],
    trusted: Annotated[
        Path | None,
        typer.Option("--head", exists=True, dir_okay=False, help="An older head that you trust."),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Whose signature it must be: PEM, base64."),
    ] = None,
) -> None:
    """Check a head or a proof with no database at hand."""
    from projections.log_tree.evidence import check_evidence, public_key_of

    with _explained():
        key = public_key_of(public_key.read_bytes()) if public_key else None
        old = _read(trusted).head if trusted else None
        for line in check_evidence(_read(file), trusted=old, public_key=key):
            typer.echo(line)


@proofs_app.command()
def media(
    post_id: Annotated[UUID | None, typer.Argument(help="Only this post.")] = None,
    *,
    only_stored: Annotated[
        bool,
        typer.Option("--only-stored", help="Derive nothing: ask the store for its checksums."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Derive variants again from the stored originals, and compare them with what was recorded."""
    import anyio

    from api.cli.audit_session import open_audit_desk
    from transcoder.media_audit import run_media_audit
    from transcoder.settings import worker_settings

    seen: list[bool] = []

    async def audit(progress: Callable[[int, int | None], None]) -> None:
        def show(variants: "list[AuditedVariant]") -> None:
            for variant in variants:
                seen.append(variant.is_wrong())
                # Of one post everything is told, of all posts only what is wrong.
                if as_json or post_id or variant.is_wrong():
                    _show_variant(variant, as_json=as_json)
            progress(len(seen), None)

        settings = worker_settings()
        async with open_audit_desk(settings.database.url) as desk:
            await desk.record("nova audit media", post_id=str(post_id) if post_id else None)
        await run_media_audit(settings, post_id, only_stored=only_stored, audited=show)

    with _explained(), _progress("variants") as progress:
        anyio.run(audit, progress)
    typer.echo(f"{len(seen)} variants, {sum(seen)} not as recorded", err=True)
    raise typer.Exit(1 if any(seen) else 0)


def _on_the_database(ask: "Callable[[AsyncConnection[object]], Awaitable[_T]]") -> _T:
    import anyio
    from psycopg import AsyncConnection

    from projections.settings import database_settings

    async def connect_and_ask() -> _T:
        url = database_settings().url
        async with await AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute("SET TIME ZONE 'UTC'")
            return await ask(connection)

    return anyio.run(connect_and_ask)


def _read(path: Path) -> "Evidence":
    from projections.log_tree.evidence import read_evidence

    return read_evidence(path.read_bytes())


def _export(evidence: "Evidence", out: Path | None) -> None:
    from msgspec.structs import replace

    from projections.log_tree.evidence import write_evidence

    evidence = replace(evidence, head=_signed(evidence.head))
    content = write_evidence(evidence)
    if out is None:
        typer.echo(content.decode(), nl=False)
    else:
        out.write_bytes(content)
    how = "signed" if evidence.head.signature else "not signed: AUDIT_SIGNING_KEY is not set"
    where = f" is in {out}" if out else ""
    typer.echo(f"The head of {evidence.head.tree_size} events{where}, {how}.", err=True)


def _signed(head: "Head") -> "Head":
    from api.settings import audit_settings
    from domain.settings import WrongSettings
    from projections.log_tree.evidence import sign, signing_key

    key = audit_settings().signing_key
    if key is None:
        return head
    try:
        return sign(head, signing_key(key))
    except (ValueError, OSError) as error:
        raise WrongSettings([f"AUDIT_SIGNING_KEY is wrong: {error}"]) from error


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on a terminal; nothing elsewhere. It is told how much is done, and of how much."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(
            task, completed=done, total=total and max(total, done), description=f"{what} {done:,}"
        )


def _show_variant(variant: "AuditedVariant", *, as_json: bool) -> None:
    from api.cli.audit_reports import print_json

    if as_json:
        print_json(variant)
        return
    stored, derived = variant.stored, variant.derived.replace("_", " ")
    typer.echo(f"{variant.post_id}  {variant.variant:9}  stored: {stored:7}  derived: {derived}")


@contextmanager
def _explained() -> Iterator[None]:
    """Turn the errors that people can mend into one line and an exit code."""
    from domain.event_store.mapper import UnreadableEvent
    from projections.log_tree.evidence import WrongEvidence
    from projections.log_tree.proofs import NotProvable
    from projections.log_tree.sealing import SealsDamaged

    with explained():
        try:
            yield
        except (WrongEvidence, NotProvable, SealsDamaged, UnreadableEvent) as error:
            typer.echo(f"nova: {error}", err=True)
            raise typer.Exit(1) from error
