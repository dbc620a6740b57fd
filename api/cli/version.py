"""The version of the installed package."""

from importlib.metadata import version
from typing import Annotated

import typer

DISTRIBUTION = "nova-publishing"


def nova_version() -> str:
    """The version, such as 0.1.0."""
    return version(DISTRIBUTION)


def _show_version(is_asked: bool) -> None:  # noqa: FBT001 - as Typer calls it
    if is_asked:
        typer.echo(f"nova {nova_version()}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
    ),
]
