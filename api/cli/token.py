"""`nova token`: a bearer token for development."""

from typing import Annotated
from uuid import UUID

import typer

from api.cli.errors import friendly_errors
from api.cli.options import DEFAULT_FOLDER, Data
from api.http.authentication.bearer import Role, User, create_token
from api.settings import environ
from api.stack.folder import read_jwt_secret


@friendly_errors()
def token(
    user: Annotated[UUID, typer.Option(help="User id (`sub` claim).", metavar="ID")],
    role: Annotated[Role, typer.Option(help="Role claim.")] = "user",
    folder: Data = DEFAULT_FOLDER,
) -> None:
    """Print a bearer token, signed with JWT_SECRET or with the secret of a local stack."""
    secret = environ().get("JWT_SECRET") or read_jwt_secret(folder)
    typer.echo(create_token(secret, User(id=user, role=role)))
