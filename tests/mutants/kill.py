"""Run the named tests on every mutant: each mutant must fail them. `just mutants` runs this file.

mutmut and cosmic-ray generate their own mutants, of Python alone. These are chosen by what a break
would cost, and some are SQL. pytest selects them, runs them in parallel and sums up.
"""

import compileall
import os
import shutil
import subprocess
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.forked_pytest import run_pytest
from tests.mutants.mutants import ROOT, Mutant, applied, load_mutants

# More than the slowest named tests take on a busy machine. Reaching it is a failure: every test
# has a limit, and must end without this one.
LIMIT_SECONDS = 900
_TESTS_FAILED = 1
# Rewritten assertions explain failures that nobody reads here.
_OPTIONS = ["--exitfirst", "--quiet", "--assert=plain", "-p", "no:cacheprovider"]
_LIST_FILES = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]

_MUTANTS = load_mutants()
_NODE_IDS = sorted({node_id for mutant in _MUTANTS for node_id in mutant.tests})


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project to break; the real photos are beside it as usual."""
    tree = tmp_path_factory.mktemp("mutants") / "project"
    names = subprocess.check_output(_LIST_FILES, cwd=ROOT, text=True).split("\0")
    for path in (Path(name) for name in names if (ROOT / name).is_file()):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, tree / path)
    (tree.parent / "shared").symlink_to(ROOT.parent / "shared")
    compileall.compile_dir(tree, quiet=2)
    return tree


@pytest.mark.timeout(0)
@pytest.mark.parametrize(
    "node_ids",
    [list(group) for _, group in groupby(_NODE_IDS, key=lambda name: name.partition("::")[0])],
    ids=lambda node_ids: node_ids[0].partition("::")[0],
)
def test_the_unbroken_project_passes(node_ids: list[str], tree: Path, postgres_server: str) -> None:
    code, output = _run_tests(node_ids, tree, postgres_server)

    assert code == 0, output


def _parameter(mutant: Mutant) -> Any:
    reason = mutant.equivalent
    marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
    return pytest.param(mutant, id=mutant.name, marks=marks)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("mutant", [_parameter(mutant) for mutant in _MUTANTS])
def test_the_tests_kill(
    mutant: Mutant,
    tree: Path,
    postgres_server: str,
    request: pytest.FixtureRequest,
) -> None:
    request.node.user_properties.append(("package", Path(mutant.file).parts[0]))
    with applied(mutant, tree):
        code, output = _run_tests(mutant.tests, tree, postgres_server)

    assert code == _TESTS_FAILED, f"exit code {code}: {output}"


def _run_tests(node_ids: Sequence[str], tree: Path, postgres_server: str) -> tuple[int | None, str]:
    inherited = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    environ = {
        **inherited,
        "NOVA_TEST_POSTGRES": postgres_server,
        # Subprocesses of the tests import the copy as well, and leave nothing compiled behind.
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    code, output = run_pytest(
        [*_OPTIONS, *node_ids], tree=tree, environ=environ, limit_seconds=LIMIT_SECONDS
    )
    return code, output[-2000:]
