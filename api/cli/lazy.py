"""Lazy verbs: a group lists its verbs from their docstrings, and imports the one that is run.

Click calls this "Lazily Loading Subcommands". The worker's image processes import the shell again,
and the API must never load libvips: both import no verb but their own.
"""

import ast
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


class LazyGroup(TyperGroup):
    """A group of verbs, each given as `module:function`.

    All but those in `without_stack` run on the stack of this machine, where settings name no other.
    """

    verbs: ClassVar[Mapping[str, str]] = {}
    without_stack: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - those of TyperGroup
        super().__init__(**attributes)
        groups = dict(self.commands)
        self.commands = {
            name: _Verb(name, target, is_on_stack=name not in self.without_stack)
            for name, target in self.verbs.items()
        }
        self.commands.update(groups)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - Typer's own Click
        """Import the verb that was named."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, _Verb) else command, rest


class _Verb(TyperCommand):
    """A verb as the list shows it, before it is imported."""

    def __init__(self, name: str, target: str, *, is_on_stack: bool) -> None:
        super().__init__(name, rich_markup_mode=None)
        self._is_on_stack = is_on_stack
        self._module, _, self._function = target.partition(":")

    def load(self) -> Any:  # noqa: ANN401 - a command of Typer's own Click
        """Import the function, and make it the command that its annotations describe."""
        app = typer.Typer(
            add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
        )
        function = getattr(import_module(self._module), self._function)
        if self._is_on_stack:
            # Imported here, because help must import nothing.
            function = import_module("api.cli.on_stack").on_stack(function)
        app.command(self.name)(function)
        return typer.main.get_command(app)

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002 - lines are wrapped, not cut
        """The first line of the docstring, read from the source."""
        return _docstring(self._module, self._function).partition("\n")[0]


def _docstring(module: str, function: str) -> str:
    spec = find_spec(module)
    source = spec and spec.loader and spec.loader.get_source(module)  # type: ignore[attr-defined]
    for node in ast.parse(source or "").body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return ast.get_docstring(node) or ""
    raise LookupError(f"{module} has no function {function}")
