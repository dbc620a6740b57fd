"""Helpers of tests stand in modules of their own, so that tests can move freely."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = sorted(path for name in ("tests", "benchmarks") for path in (ROOT / name).rglob("*.py"))


def imported_modules(source: str) -> Iterator[str]:
    """The full name of everything that a module imports, and of all that may be modules in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_test_module(name: str) -> bool:
    """Whether the name is one of our modules that pytest collects or loads by itself."""
    *_, module = name.split(".")
    is_ours = ROOT.joinpath(*name.split(".")).with_suffix(".py") in FILES
    return is_ours and (module.startswith("test_") or module == "conftest")


def test_no_module_imports_a_test_module_or_a_conftest() -> None:
    found = {
        str(path.relative_to(ROOT)): [*filter(is_test_module, imported_modules(path.read_text()))]
        for path in FILES
    }
    assert {path: names for path, names in found.items() if names} == {}


def test_such_an_import_is_found() -> None:
    found = [*imported_modules("from tests import conftest\nimport tests.test_helpers")]
    assert [*filter(is_test_module, found)] == ["tests.conftest", "tests.test_helpers"]
