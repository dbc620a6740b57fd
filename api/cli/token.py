"""`nova token`: a bearer token for development."""

from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

import typer

from api.cli.errors import friendly_errors
from api.cli.on_stack import find_stack
from api.cli.options import DEFAULT_FOLDER
from api.http.authentication.tokens import create_development_token
from api.http.authentication.users import Role, User
from api.settings import environ
from api.stack.running import read_jwt_secret


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
    """Print a bearer token, signed with JWT_SECRET or with the secret of a local stack.

    A folder named with --data wins over JWT_SECRET.
    """
    if user is None:
        user = uuid4()
        typer.echo(f"User {user}", err=True)
    variables = {**environ(), "JWT_SECRET": _secret(folder)}
    typer.echo(create_development_token(variables, User(id=user, role=role)))


def _secret(folder: Path | None) -> str:
    """The secret of the stack in `folder`, of the environment, or of the nearest stack."""
    given = environ().get("JWT_SECRET", "").strip()
    if folder is None and given:
        return given
    return read_jwt_secret(folder or find_stack() or DEFAULT_FOLDER)
