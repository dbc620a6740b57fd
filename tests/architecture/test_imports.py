"""Each import contract is broken here once, and seen to fail."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Final

import grimp
import pytest
from grimp import ImportGraph
from importlinter.api import read_configuration
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract
from importlinter.domain.contract import Contract

from tests.architecture.rooms import RoomsContract

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("domain", "projections", "transcoder", "api")
CONFIGURATION: Final = read_configuration(str(ROOT / "pyproject.toml"))
TYPES: Final[Mapping[str, type[Contract]]] = {
    "layers": LayersContract,
    "acyclic_siblings": AcyclicSiblingsContract,
    "forbidden": ForbiddenContract,
    "rooms": RoomsContract,
}
CONTRACTS: Final = {options["name"]: options for options in CONFIGURATION["contracts_options"]}
# The contract, and an import that breaks it: who imports what.
BROKEN_BY: Final = (
    ("api > transcoder | projections > domain", "domain.post", "projections.connection"),
    ("api > transcoder | projections > domain", "transcoder.worker", "projections.follow.runner"),
    ("api > transcoder | projections > domain", "transcoder.errors", "api.settings"),
    (
        "no two siblings import each other, not even through others",
        "domain.recipes",
        "domain.events",
    ),
    (
        "no two siblings import each other, not even through others",
        "api.http.errors",
        "api.http.app",
    ),
    ("the rooms of domain", "domain.post", "psycopg"),
    ("the rooms of domain", "domain.decisions", "eventsourcing"),
    ("the rooms of domain", "domain.jobs", "anyio"),
    ("the rooms of domain", "domain.decisions", "domain.event_store.publishing"),
    ("the rooms of domain", "domain.event_store.recorder", "tests.histories"),
    ("the rooms of projections", "projections.log.reading", "projections.tables.posts"),
    ("the rooms of projections", "projections.follow.runner", "projections.rebuild.rebuild"),
    ("the rooms of projections", "projections.queries.posts", "projections.follow.status"),
    ("the rooms of projections", "projections.tables.posts", "eventsourcing"),
    ("the rooms of transcoder", "transcoder.processing.load", "transcoder.object_store.s3"),
    ("the rooms of transcoder", "transcoder.processing.load", "aiohttp"),
    ("the rooms of transcoder", "transcoder.jobs.transcode", "transcoder.tasks"),
    ("the rooms of transcoder", "transcoder.duties.orphans", "transcoder.processes.pool"),
    ("the rooms of api", "api.http.app", "api.cli.main"),
    ("the rooms of api", "api.http.app", "api.stack.local"),
    ("the rooms of api", "api.http.app", "transcoder.worker"),
    ("the rooms of api", "api.http.app", "projections.rebuild.rebuild"),
    ("the rooms of api", "api.stack.local", "domain.events"),
    (
        "the HTTP API never loads an image library, not even through others",
        "transcoder.object_store.protocol",
        "pyvips",
    ),
    ("processing does no I/O", "transcoder.processing.load", "socket"),
)


@pytest.fixture(scope="module")
def imports() -> ImportGraph:
    """The graph of imports as the code has it; a test changes a copy."""
    return grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)


def is_kept(contract: str, graph: ImportGraph) -> bool:
    """Whether the contract of that name holds for these imports."""
    options = dict(CONTRACTS[contract])
    checked = TYPES[options.pop("type")](
        name=options.pop("name"),
        session_options=CONFIGURATION["session_options"],
        contract_options=options,
    )
    return checked.check(graph, verbose=False).kept


def having(graph: ImportGraph, *, importer: str, imported: str) -> ImportGraph:
    """The same imports, and one more; both modules may be new."""
    changed = deepcopy(graph)
    for module in (importer, imported):
        if module not in changed.modules:
            root = module.partition(".")[0]
            changed.add_module(module, is_squashed=root not in PACKAGES and module == root)
    changed.add_import(importer=importer, imported=imported, line_number=1, line_contents="")
    return changed


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_code_keeps_every_contract(contract: str, imports: ImportGraph) -> None:
    assert is_kept(contract, having(imports, importer="domain.post", imported="typing"))


@pytest.mark.parametrize(("contract", "importer", "imported"), BROKEN_BY)
def test_a_forbidden_import_breaks_its_contract(
    contract: str, importer: str, imported: str, imports: ImportGraph
) -> None:
    assert not is_kept(contract, having(imports, importer=importer, imported=imported))


def test_every_contract_is_broken_by_a_test() -> None:
    assert {contract for contract, _, _ in BROKEN_BY} == set(CONTRACTS)


def test_no_contract_has_an_exemption() -> None:
    for options in CONTRACTS.values():
        assert not {"ignore_imports", "allow_indirect_imports", "skip_descendants"} & set(options)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_new_module_is_forbidden_until_it_is_listed(package: str, imports: ImportGraph) -> None:
    changed = having(imports, importer=f"{package}.brand_new", imported="typing")
    assert not is_kept(f"the rooms of {package}", changed)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_room_may_not_list_a_room_above_it(package: str, imports: ImportGraph) -> None:
    rooms = dict(CONTRACTS[f"the rooms of {package}"]["rooms"])
    top, *_, bottom = rooms
    rooms[bottom] = [*rooms[bottom], f"{package}.{top}"]
    contract = RoomsContract(
        name="upward", session_options={}, contract_options={"package": package, "rooms": rooms}
    )
    assert not contract.check(imports, verbose=False).kept


def test_the_check_of_the_imports_fails_on_one_line_of_code(tmp_path: Path) -> None:
    for package in (*PACKAGES, "tests/architecture"):
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(ROOT / "tests" / "__init__.py", tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert lint_imports(tmp_path).returncode == 0
    with (tmp_path / "api" / "http" / "app.py").open("a") as source:
        source.write("\nimport transcoder.worker\n")
    failed = lint_imports(tmp_path)
    assert failed.returncode == 1
    assert "api.http.app may not import transcoder.worker" in failed.stdout


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """What the check of the imports says of the code in a folder."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_no_room_lists_what_it_does_not_import(package: str, imports: ImportGraph) -> None:
    for room, allowed in CONTRACTS[f"the rooms of {package}"]["rooms"].items():
        modules = {f"{package}.{room}"} | imports.find_descendants(f"{package}.{room}")
        used = set[str]().union(*map(imports.find_modules_directly_imported_by, modules))
        for name in allowed:
            assert any(f"{each}.".startswith(f"{name}.") for each in used), f"{room}: {name}"
