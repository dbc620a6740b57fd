"""The verbs of the command line, with the words that name each."""

from collections.abc import Iterator
from typing import Any

import typer

from api.cli.lazy import LazyGroup
from api.cli.main import app


def all_verbs(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every verb with the words that name it, and as the list of its group shows it."""
    for name, command in group.commands.items():
        if isinstance(command, LazyGroup):
            yield from all_verbs(command, (*path, name))
        else:
            yield (*path, name), command


VERBS = dict(all_verbs(typer.main.get_command(app)))
