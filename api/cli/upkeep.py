"""`nova reprocess` and `nova janitor`: what operators do to what is stored.

Every verb loads only what it needs, when it runs.
"""
# ruff: noqa: PLC0415 - as the first lines say

from datetime import timedelta
from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from api.cli.audit import AsJson, Since
from api.cli.explained import explained
from domain.recipes import RECIPE_VERSION

upkeep_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@upkeep_app.command()
def reprocess(
    recipe: Annotated[
        int,
        typer.Option(min=1, max=RECIPE_VERSION, help="Posts that were made with an older recipe."),
    ] = RECIPE_VERSION,
    since: Since = None,
    user: Annotated[UUID | None, typer.Option(help="Only this user's posts.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make variants of older recipes again, behind all live posts; run it again to go on."""
    import anyio

    from api.cli.reprocess import run_reprocess
    from projections.queries.outdated import PublishedFilter
    from projections.settings import database_settings

    asked = PublishedFilter(since=since, user_id=user)
    with explained():
        url = database_settings().url
        run = partial(run_reprocess, url, asked, recipe_version=recipe, as_json=as_json)
        all_reprocessed = anyio.run(run)
    raise typer.Exit(0 if all_reprocessed else 1)


@upkeep_app.command()
def janitor(
    older_than: Annotated[
        int, typer.Option(min=1, help="Only objects that are so many hours old.")
    ] = 24,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List them, remove nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove stored objects that nothing needs; a worker does so every night."""
    import anyio

    from api.cli.janitor import run_janitor
    from transcoder.settings import storage_settings

    age = timedelta(hours=older_than)
    with explained():
        run = partial(run_janitor, storage_settings(), older_than=age)
        anyio.run(partial(run, dry_run=dry_run, as_json=as_json))
