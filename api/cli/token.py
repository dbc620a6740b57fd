"""`nova token`: a bearer token for development."""

from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

import typer

from api.cli.errors import friendly_errors
from api.cli.options import DEFAULT_FOLDER
from api.http.authentication.bearer import Role, User, create_token
from api.settings import environ
from api.stack.folder import read_jwt_secret
from api.stack.running import find_folder


@friendly_errors()
def token(
    user: Annotated[
        UUID | None,
        typer.Option(help="User id (`sub` claim). A new one by default.", metavar="ID"),
    ] = None,
    role: Annotated[Role, typer.Option(help="Role claim.")] = "user",
    folder: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Folder of the stack. The nearest .nova by default.", metavar="DIR"
        ),
    ] = None,
) -> None:
    """Print a bearer token, signed with JWT_SECRET or with the secret of a local stack."""
    secret = environ().get("JWT_SECRET") or read_jwt_secret(
        folder or find_folder(Path.cwd()) or DEFAULT_FOLDER
    )
    if user is None:
        user = uuid4()
        typer.echo(f"User {user}", err=True)
    typer.echo(create_token(secret, User(id=user, role=role)))
