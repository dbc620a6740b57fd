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
from api.stack.running import token_environ


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
    variables = {**environ(), **_signing(folder)}
    if user is None:
        user = uuid4()
        typer.echo(f"User {user}", err=True)
    typer.echo(create_development_token(variables, User(id=user, role=role)))


def _signing(folder: Path | None) -> dict[str, str]:
    """The variables of the stack in `folder`, or of the nearest one if none are set."""
    if folder is None and environ().get("JWT_SECRET", "").strip():
        return {}
    return token_environ(folder or find_stack() or DEFAULT_FOLDER)
