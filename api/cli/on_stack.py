"""Verbs on the stack of this machine, found by its folder unless the settings name another."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.errors import friendly_errors
from api.settings import add_to_environ, environ
from api.stack.errors import StackNotRunning
from api.stack.running import PLACES, find_folder, running_environ
from domain.settings import WrongSettings

StackData = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Use the stack that runs in this folder. The nearest .nova by default.",
        metavar="DIR",
    ),
]


def on_stack(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with an option `--data`, run with the settings of the stack that runs there."""

    @friendly_errors()
    @wraps(verb)
    def run(*, data: Path | None = None, **options: Any) -> None:  # noqa: ANN401 - the verb's own
        use_stack(data)
        verb(**options)

    signature = inspect.signature(verb)
    option = inspect.Parameter("data", inspect.Parameter.KEYWORD_ONLY, default=None)
    option = option.replace(annotation=StackData)
    parameters = [*signature.parameters.values(), option]
    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    run.__annotations__ = {**inspect.get_annotations(verb), "data": StackData}
    return run


def use_stack(folder: Path | None) -> None:
    """Add the settings of the stack in `folder`, or in the nearest `.nova`, to the environment.

    Variables that are set stay. If they name another database or bucket, a stack that was only
    found is left alone; otherwise it is named on standard error.

    Raises:
        StackNotRunning: no stack runs in `folder`.
        WrongSettings: variables name another database or bucket than that of `folder`.
    """
    found = folder or find_folder(Path.cwd())
    if found is None:
        return
    given = {name: value.strip() for name, value in environ().items() if value.strip()}
    try:
        shared = running_environ(found)
    except StackNotRunning:
        if folder is not None:
            raise
        if "DATABASE_URL" not in given:
            typer.echo(f"No stack is running in {found}.", err=True)
        return
    others = [name for name in PLACES if name in given and given[name] != shared.get(name)]
    if not others:
        if folder is None and shared.keys() - given.keys():
            _name_stack(found)
        add_to_environ(shared)
    elif folder is not None:
        problem = f"{' and '.join(others)} of the environment differs from the stack in {folder}"
        raise WrongSettings([problem])


def find_stack() -> Path | None:
    """The nearest `.nova`, named on standard error."""
    found = find_folder(Path.cwd())
    if found is not None:
        _name_stack(found)
    return found


def _name_stack(folder: Path) -> None:
    # Whoever has several must see which one a command reads or changes.
    typer.echo(f"Using the stack in {folder}", err=True)
