"""`nova reprocess`: published posts rendered again with the current recipe."""

from contextlib import aclosing
from functools import partial
from typing import Annotated
from uuid import UUID, uuid4

import anyio
import typer
from msgspec import Struct

from api.cli.errors import friendly_errors
from api.cli.options import AsJson, Since
from api.cli.output import console, print_json
from api.cli.progress import show_progress
from domain.recipes import RECIPE_VERSION
from projections.connection import connected
from projections.log.reading import head_position
from projections.queries.outdated import (
    PublishedFilter,
    ReprocessOutcome,
    count_published,
    find_outdated,
    reprocess_outcomes,
)
from projections.settings import database_settings
from transcoder.jobs.reprocess_run import Fed, run_reprocessing
from transcoder.queue.lanes import lanes_alive


class Reprocessed(Struct, frozen=True, kw_only=True):
    """What a run did: posts looked at, reprocessed, and those that could not be."""

    run_id: UUID
    looked_at: int
    reprocessed: int
    not_reprocessed: int


@friendly_errors()
def reprocess(
    recipe: Annotated[
        int,
        typer.Option(
            min=1,
            max=RECIPE_VERSION,
            help="Reprocess posts whose recipe version is below this.",
            metavar="N",
        ),
    ] = RECIPE_VERSION,
    since: Since = None,
    user: Annotated[
        UUID | None, typer.Option(help="Only posts of this user.", metavar="ID")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Re-render posts made with an older recipe, at low priority. Resumable."""
    chosen = PublishedFilter(since=since, user_id=user)
    run = partial(_run, chosen=chosen, recipe_version=recipe, as_json=as_json)
    done = anyio.run(run, database_settings().session_url)
    if as_json:
        print_json(done)
    else:
        console.print(
            f"Reprocessed {done.reprocessed:,} of {done.looked_at:,} posts, "
            f"{done.not_reprocessed:,} failed."
        )
    raise typer.Exit(1 if done.not_reprocessed else 0)


async def _run(
    url: str, *, chosen: PublishedFilter, recipe_version: int, as_json: bool
) -> Reprocessed:
    run_id, fed = uuid4(), Fed()
    async with connected(url) as connection:
        position = await head_position(connection)
        total = await count_published(connection, chosen)
        pages = find_outdated(connection, chosen, recipe_version=recipe_version)
        with show_progress("reprocessing", unit="posts", as_json=as_json) as progress:
            async with aclosing(pages):
                async for fed in run_reprocessing(connection, pages, run_id=run_id):
                    idle = "" if await lanes_alive(connection) else ", no worker is running"
                    progress.update(fed.looked_at, total, note=f" ({fed.queued:,} queued{idle})")
        ended = await reprocess_outcomes(connection, run_id, position=position)
    failed = [outcome for outcome in ended if outcome.code is not None]
    for outcome in failed:
        _print(outcome, as_json=as_json)
    return Reprocessed(
        run_id=run_id,
        looked_at=fed.looked_at,
        reprocessed=len(ended) - len(failed),
        not_reprocessed=len(failed),
    )


def _print(outcome: ReprocessOutcome, *, as_json: bool) -> None:
    if as_json:
        print_json(outcome)
    else:
        line = f"{outcome.post_id}  {outcome.code}: {outcome.message}"
        console.print(line, markup=False)
