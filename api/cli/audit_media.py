"""`nova audit media`: stored variants against the bytes that the log recorded."""

from functools import partial
from typing import Annotated
from uuid import UUID

import anyio
import typer

from api.cli.errors import friendly_errors
from api.cli.options import AsJson
from api.cli.output import console, errors, print_json, quantity
from api.cli.progress import show_progress
from api.cli.session import AuditSession
from projections.connection import connected
from transcoder.media_audit import AuditedVariant, run_media_audit
from transcoder.settings import WorkerSettings, worker_settings


@friendly_errors()
def media(
    post_id: Annotated[
        UUID | None, typer.Argument(help="Audit this post only.", metavar="POST_ID")
    ] = None,
    *,
    only_stored: Annotated[
        bool, typer.Option("--only-stored", help="Compare the store's checksums, render nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Render variants again from the stored originals and compare them with the log."""
    settings = worker_settings()
    wrong: list[bool] = []
    with show_progress("variants", unit="variants", as_json=as_json) as progress:

        def show(variants: list[AuditedVariant]) -> None:
            for variant in variants:
                wrong.append(variant.is_wrong())
                # Of one post every variant is shown, of all posts only what is wrong.
                if as_json or post_id or variant.is_wrong():
                    _print(variant, as_json=as_json)
            progress.update(len(wrong))

        anyio.run(partial(_record, settings, post_id))
        audit = partial(run_media_audit, settings, post_id, only_stored=only_stored, audited=show)
        anyio.run(audit)
    if any(wrong):
        errors.print(f"FAILED: {sum(wrong):,} of {len(wrong):,} variants differ from the log.")
        raise typer.Exit(1)
    errors.print(f"OK: {quantity(len(wrong), 'variant')} match the log.")


async def _record(settings: WorkerSettings, post_id: UUID | None) -> None:
    async with connected(settings.database.session_url) as connection:
        post = str(post_id) if post_id else None
        await AuditSession(connection, connection).record("nova audit media", post_id=post)


def _print(variant: AuditedVariant, *, as_json: bool) -> None:
    if as_json:
        print_json(variant)
        return
    stored, derived = variant.stored, variant.derived.replace("_", " ")
    line = f"{variant.post_id}  {variant.variant:9}  stored: {stored:7}  derived: {derived}"
    console.print(line, markup=False)
