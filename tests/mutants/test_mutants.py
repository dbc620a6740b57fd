"""The lists of mutants keep up with the code that they break."""

import ast

from tests.mutants.mutants import ROOT, Mutant, broken, is_there, load_mutants

_MUTANTS = load_mutants()


def test_every_mutant_applies_and_names_tests_that_exist() -> None:
    wrong = {mutant.name: fault for mutant in _MUTANTS if (fault := _fault_of(mutant))}

    assert wrong == {}


def test_no_two_mutants_have_one_name() -> None:
    names = [mutant.name for mutant in _MUTANTS]

    assert sorted(names) == sorted(set(names))


def test_at_most_one_mutant_in_twenty_is_equivalent() -> None:
    equivalent = [mutant for mutant in _MUTANTS if mutant.equivalent]

    assert len(equivalent) * 20 <= len(_MUTANTS)


def _fault_of(mutant: Mutant) -> str | None:
    missing = [node_id for node_id in mutant.tests if not is_there(node_id)]
    if missing or not mutant.tests:
        return f"no such tests: {missing}"
    try:
        source = broken(mutant, (ROOT / mutant.file).read_text())
        if mutant.file.endswith(".py"):
            ast.parse(source)
    except (OSError, ValueError, SyntaxError) as error:
        return str(error)
    return None
