"""Mutants: each breaks one rule in one file, and names the tests that must notice.

The lists are the TOML files beside this module, one for each package and one for the SQL.
"""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]


class Mutant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Replace `old` by `new` in `file`, and `tests` (pytest node ids) must fail.

    `equivalent`: why no test can notice. A mutant without it has to be killed.
    """

    rule: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    equivalent: str | None = None

    @property
    def name(self) -> str:
        """What `-k` selects by: the file and the rule."""
        return f"{self.file}: {self.rule}"


class _List(Struct, frozen=True, forbid_unknown_fields=True):
    mutants: tuple[Mutant, ...]


def load_mutants() -> list[Mutant]:
    """All mutants, list by list."""
    return [
        mutant
        for path in sorted(HERE.glob("*.toml"))
        for mutant in msgspec.toml.decode(path.read_bytes(), type=_List).mutants
    ]


def broken(mutant: Mutant, source: str) -> str:
    """The text of the mutant's file, broken.

    Raises:
        ValueError: the text to replace is not there exactly once, or would stay the same.
    """
    found = source.count(mutant.old)
    if found != 1 or mutant.old == mutant.new:
        raise ValueError(f"found {found} times: {mutant.old!r}")
    return source.replace(mutant.old, mutant.new)


@contextmanager
def applied(mutant: Mutant, tree: Path) -> Iterator[None]:
    """Break a copy of the project for as long as the block runs."""
    path = tree / mutant.file
    source = path.read_text()
    path.write_text(broken(mutant, source))
    try:
        yield
    finally:
        path.write_text(source)


def is_there(node_id: str) -> bool:
    """Whether a file of tests exists and has the test that a node id names."""
    file, _, name = node_id.partition("::")
    path = ROOT / file
    return path.exists() and (not name or name.partition("[")[0] in _functions(path))


@cache
def _functions(path: Path) -> frozenset[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return frozenset(
        node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
