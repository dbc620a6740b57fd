"""An import contract that is an allow-list: each room of a package names all that it may import.

import-linter's own contract types forbid what they name and allow the rest. This one allows what it
names and forbids the rest, third-party packages included, so a new module cannot be imported, nor
import anything, before `pyproject.toml` says so. The standard library is always allowed.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Final

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from msgspec import convert

_OURS: Final = frozenset({"domain", "projections", "transcoder", "api"})


class RoomsField(fields.Field[Mapping[str, tuple[str, ...]]]):
    """The rooms of a package from top to bottom, each with all that it may import."""

    def parse(self, raw_data: object) -> Mapping[str, tuple[str, ...]]:
        """Return the table as it stands in the configuration.

        Raises:
            ValidationError: it is not a table of lists of names.
        """
        if not isinstance(raw_data, dict):
            message = "Expected a table: each room with the list of what it may import."
            raise fields.ValidationError(message)
        return {str(room): tuple(map(str, allowed)) for room, allowed in raw_data.items()}


class RoomsContract(Contract):
    """Every child of `package` is a room listed in `rooms`, and imports only what it lists.

    The rooms stand in the order of the layers: a room may list only rooms below it.
    """

    type_name = "rooms"

    package = fields.StringField()
    rooms = RoomsField()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 # the base class calls it like this
        """Compare the rooms with the graph of imports."""
        package = str(self.package)
        rooms = convert(self.rooms, dict[str, tuple[str, ...]])
        problems = [*_unlisted(graph, package, rooms), *_upward(package, rooms)]
        for room, allowed in rooms.items():
            problems += _forbidden(graph, f"{package}.{room}", allowed)
        return ContractCheck(kept=not problems, metadata={"problems": problems})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line for each problem."""
        for problem in check.metadata["problems"]:
            output.print_error(problem, bold=False)


def _unlisted(graph: ImportGraph, package: str, rooms: Mapping[str, object]) -> Iterator[str]:
    listed = {f"{package}.{room}" for room in rooms}
    children = graph.find_children(package)
    yield from (f"{room} is not listed as a room" for room in sorted(children - listed))
    yield from (f"{room} is listed but does not exist" for room in sorted(listed - children))


def _upward(package: str, rooms: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    above: set[str] = set()
    for room, allowed in rooms.items():
        above.add(f"{package}.{room}")
        yield from (
            f"{package}.{room} may not import {name}: it is not below"
            for name in allowed
            if above & set(_ancestry(name)) or name == package
        )


def _forbidden(graph: ImportGraph, room: str, allowed: tuple[str, ...]) -> Iterator[str]:
    permitted = {room, *allowed}
    for importer in sorted({room} | graph.find_descendants(room)):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            if not (_is_standard(imported) or permitted & set(_ancestry(imported))):
                lines = graph.get_import_details(importer=importer, imported=imported)
                where = ", ".join(f"l.{line['line_number']}" for line in lines)
                yield f"{importer} may not import {imported} ({where})"


def _ancestry(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def _is_standard(module: str) -> bool:
    root = module.partition(".")[0]
    return root in sys.stdlib_module_names and root not in _OURS
