"""`nova migrate`: the database and the bucket at this version."""

from functools import partial
from typing import Annotated

import anyio
import psycopg
import typer

from api.cli.errors import friendly_errors
from api.cli.pooler import require_sessions
from api.migrate import migrate as migrate_database
from projections.server_settings import check_role
from projections.settings import owner_settings
from transcoder.object_store.bucket import PreparedBucket, prepare_bucket
from transcoder.settings import BucketSettings, bucket_settings


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
    *,
    skips_bucket: Annotated[
        bool, typer.Option("--skip-bucket", help="Leave the bucket as it is.")
    ] = False,
) -> None:
    """Bring the database and the bucket to this version. Safe to run at any time."""
    settings = None if skips_bucket else bucket_settings()
    database = owner_settings()
    require_sessions(database.url)
    _check_services_role(database.database.session_url)
    applied = migrate_database(database.url, roles=roles or ())
    for name in applied.migrations:
        typer.echo(f"applied {name}")
    counts = f"{len(applied.migrations)} migrations, {len(applied.functions)} functions applied"
    typer.echo(f"The database is up to date ({counts}).")
    if applied.mended:
        was, now = applied.mended.was, applied.mended.now
        typer.echo(f"The next position was behind the log: moved from {was} to {now}.")
    for role in applied.granted:
        typer.echo(f"Role {role} may run the services.")
    if settings is not None:
        _prepare_bucket(settings)


def _check_services_role(url: str) -> None:
    try:
        check_role(url)
    except psycopg.OperationalError:
        # It may get the right to connect only now; a server that is gone is the next one's error.
        typer.echo("The settings of the role in DATABASE_URL were not checked: it cannot connect.")


def _prepare_bucket(settings: BucketSettings) -> None:
    prepare = partial(prepare_bucket, upload_origins=settings.cors.origins)
    prepared = anyio.run(prepare, settings.object_store)
    name = settings.object_store.bucket
    typer.echo(f"Bucket {name} is {'created' if prepared.is_new else 'ready'}{_details(prepared)}.")


def _details(prepared: PreparedBucket) -> str:
    done = f"set {', '.join(prepared.changed)}" if prepared.changed else "nothing to change"
    unknown = ", ".join(prepared.unknown)
    return f": {done}" + (f"; this store has no {unknown}" if unknown else "")
