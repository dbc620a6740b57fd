"""The `nova` command: one verb for each thing that people and machines do with the service.

Every verb loads only what it needs, when it runs: the worker's image processes import this module
again, and the API must never load libvips.
"""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from api.cli.audit import audit_app
from api.cli.audit_proofs import proofs_app
from api.cli.explained import EXIT_INTERRUPTED, explained
from api.cli.jobs import jobs_app
from api.cli.projections import projections_app
from api.cli.upkeep import upkeep_app

app = typer.Typer(
    name="nova",
    help="Nova Publishing: photos in, web-ready variants out, every step an event.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

audit_app.add_typer(proofs_app)
app.add_typer(audit_app)
app.add_typer(projections_app)
app.add_typer(jobs_app)
app.add_typer(upkeep_app)

DEFAULT_FOLDER = Path(".nova")

Folder = Annotated[Path, typer.Option("--data", help="The folder that keeps the stack's data.")]


class RoleName(StrEnum):
    """What a token lets its bearer do beyond publishing."""

    USER = "user"
    OPERATOR = "operator"
    AUDITOR = "auditor"


def main() -> None:
    """Run the command line."""
    app()


@app.command()
def dev(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Where the API listens; APP_PORT or 8000.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Run everything on this machine until Ctrl-C."""
    import anyio

    from api.cli.dev import run_dev

    with explained():
        anyio.run(run_dev, folder, port)


@app.command()
def demo(
    photos: Annotated[
        list[Path] | None,
        typer.Argument(exists=True, dir_okay=False, help="Photos; without any, one is made."),
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Publish photos on a stack of its own and show what happens, as it happens."""
    import anyio

    from api.cli.demo import run_demo

    with explained():
        everything_published = anyio.run(run_demo, photos or [], folder)
    raise typer.Exit(0 if everything_published else 1)


@app.command()
def api() -> None:
    """Run one API process."""
    from api.http.server import run_api
    from api.logs import configure_logs
    from api.settings import api_settings
    from api.telemetry import start_telemetry

    configure_logs()
    with explained():
        settings = api_settings()
        start_telemetry("api", settings.telemetry)
        run_api(settings)


@app.command()
def worker() -> None:
    """Run one worker process, which transcodes."""
    import anyio

    from api.logs import configure_logs
    from api.telemetry import start_telemetry
    from transcoder.settings import worker_settings
    from transcoder.worker import run_worker

    configure_logs()
    with explained():
        settings = worker_settings()
        start_telemetry("worker", settings.telemetry)
        anyio.run(run_worker, settings, backend_options={"use_uvloop": True})


@app.command()
def projector() -> None:
    """Run one projector process, which keeps the read tables up to date."""
    import anyio

    from api.logs import configure_logs
    from api.telemetry import start_telemetry
    from projections.projector import run_projector
    from projections.settings import projector_settings

    configure_logs()
    with explained():
        settings = projector_settings()
        start_telemetry("projector", settings.telemetry)
        anyio.run(run_projector, settings)


@app.command()
def migrate() -> None:
    """Bring the database and the bucket to this version; safe to run at any time, by anyone."""
    import anyio

    from api.migrate import migrate as migrate_database
    from transcoder.object_store.s3 import prepare_bucket
    from transcoder.settings import storage_settings

    with explained():
        settings = storage_settings()
        applied = migrate_database(settings.database.url)
        for name in applied.migrations:
            typer.echo(f"applied {name}")
        counts = f"{len(applied.migrations)} migrations, {len(applied.functions)} functions applied"
        typer.echo(f"The database is up to date ({counts}).")
        anyio.run(prepare_bucket, settings.object_store)
        bucket = settings.object_store.bucket
        typer.echo(f"Bucket {bucket} is ready: private, with CORS and lifecycle.")


@app.command()
def render(
    photos: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Photos.")],
    out: Annotated[Path, typer.Option(help="Where each photo gets a folder for its variants.")],
    workers: Annotated[int, typer.Option(min=1, help="How many photos side by side.")] = 1,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line for each photo.")] = False,
) -> None:
    """Run the image transcoder on local files, with the milliseconds of each step."""
    import anyio

    from api.cli.render import run_render

    try:
        all_rendered = anyio.run(partial(run_render, photos, out, workers=workers, as_json=as_json))
    except OSError as error:
        typer.echo(f"nova: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    raise typer.Exit(0 if all_rendered else 1)


@app.command()
def token(
    user: Annotated[UUID, typer.Option(help="Whose token it is.")],
    role: Annotated[RoleName, typer.Option(help="What it lets its bearer do.")] = RoleName.USER,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Print a bearer token for the stack in a folder, or for JWT_SECRET when that is set."""
    from api.cli.dev import jwt_secret
    from api.http.authentication.bearer import User, create_token

    with explained():
        bearer = User(id=user, role=role.value)
        typer.echo(create_token(jwt_secret(folder), bearer))
