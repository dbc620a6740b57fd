"""`nova token`: a bearer token for development."""

from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

import typer

from api.cli.errors import friendly_errors
from api.cli.options import DEFAULT_FOLDER
from api.http.authentication.tokens import create_development_token
from api.http.authentication.users import Role, User
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
    variables = environ()
    if not variables.get("JWT_SECRET"):
        secret = read_jwt_secret(folder or find_folder(Path.cwd()) or DEFAULT_FOLDER)
        variables = {**variables, "JWT_SECRET": secret}
    if user is None:
        user = uuid4()
        typer.echo(f"User {user}", err=True)
    typer.echo(create_development_token(variables, User(id=user, role=role)))
