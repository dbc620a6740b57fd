"""`nova env`: the settings of the stack that runs on this machine, for a shell."""

import shlex

import typer

from api.cli.errors import friendly_errors
from api.cli.on_stack import StackData, find_stack
from api.cli.options import DEFAULT_FOLDER
from api.stack.running import running_environ


@friendly_errors()
def env(folder: StackData = None) -> None:
    """Print the settings of the running stack as export lines for a shell."""
    found = folder or find_stack() or DEFAULT_FOLDER
    for name, value in running_environ(found).items():
        typer.echo(f"export {name}={shlex.quote(value)}")
