"""`nova migrate`: the database and the bucket at this version."""

from typing import Annotated

import anyio
import typer

from api.cli.errors import friendly_errors
from api.migrate import migrate as migrate_database
from projections.settings import owner_settings
from transcoder.object_store.s3 import prepare_bucket
from transcoder.settings import storage_settings


@friendly_errors()
def migrate(
    roles: Annotated[
        list[str] | None,
        typer.Option(
            "--grant",
            help="Let this role run the services, without rights to change the log.",
            metavar="ROLE",
        ),
    ] = None,
) -> None:
    """Bring the database and the bucket to this version. Safe to run at any time."""
    settings = storage_settings()
    applied = migrate_database(owner_settings().url, roles=roles or ())
    for name in applied.migrations:
        typer.echo(f"applied {name}")
    counts = f"{len(applied.migrations)} migrations, {len(applied.functions)} functions applied"
    typer.echo(f"The database is up to date ({counts}).")
    if applied.mended:
        was, now = applied.mended.was, applied.mended.now
        typer.echo(f"The next position was behind the log: moved from {was} to {now}.")
    for role in applied.granted:
        typer.echo(f"Role {role} may run the services.")
    anyio.run(prepare_bucket, settings.object_store)
    bucket = settings.object_store.bucket
    typer.echo(f"Bucket {bucket} is ready: private, with CORS and lifecycle.")
