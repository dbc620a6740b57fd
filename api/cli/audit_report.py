"""`nova audit report`: one page on one post, for people, that a second person can check offline."""

from functools import partial
from pathlib import Path
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from msgspec.structs import replace

from api.cli.errors import EXIT_WRONG, friendly_errors
from api.cli.log_keys import log_signer
from api.cli.output import errors
from api.cli.session import AuditSession, cli_actor, run_audited
from domain.settings import WrongSettings
from projections.audit.report import Picture, Report, gather_report
from projections.audit.report_page import page_of, render_page
from projections.log_tree.notes import Signer
from transcoder.errors import ObjectStoreUnavailable
from transcoder.object_store.protocol import ObjectStore
from transcoder.object_store.s3 import open_s3
from transcoder.settings import object_store_settings


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError):
        raise typer.BadParameter("use a name like Europe/Berlin") from None


@friendly_errors()
def report(
    post_id: Annotated[UUID, typer.Argument(help="Id of the post.", metavar="POST_ID")],
    out: Annotated[
        Path, typer.Option(dir_okay=False, help="Write the page to this file.", metavar="FILE")
    ],
    zone: Annotated[
        ZoneInfo | None,
        typer.Option(
            "--time-zone",
            parser=_zone,
            help="Show times of this zone instead of this machine's.",
            metavar="NAME",
        ),
    ] = None,
) -> None:
    """Write a page with a post's story, pictures, verdict and proofs. Exits 1 if it was forged."""
    found = run_audited(partial(_gather, post_id=post_id, signer=log_signer()))
    page = page_of(found, zone)
    contents = [each.content for each in found.pictures if each.content is not None]
    out.write_text(render_page(page, contents), encoding="utf-8", newline="\n")
    typer.echo(page.headline)
    errors.print(f"Check it with: nova audit check {out}", markup=False)
    if page.problems:
        raise typer.Exit(EXIT_WRONG)


async def _gather(session: AuditSession, *, post_id: UUID, signer: Signer) -> Report:
    await session.record("nova audit report", post_id=str(post_id))
    found = await gather_report(session.connection, post_id, signer, made_by=cli_actor())
    if not found.pictures:
        return found
    try:
        async with open_s3(object_store_settings()) as store:
            return replace(found, pictures=[await _read(store, each) for each in found.pictures])
    except WrongSettings:
        return replace(found, no_pictures="The pictures were left out: no object store is set.")
    except ObjectStoreUnavailable:
        return replace(found, no_pictures="The pictures are missing: the object store was down.")


async def _read(store: ObjectStore, picture: Picture) -> Picture:
    return replace(picture, content=await store.read(picture.key))
