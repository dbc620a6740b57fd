"""The documents say what the code says, and lead only to what exists."""

import re
from pathlib import Path

import pytest

from tests.architecture import generated
from tests.architecture.generated import ROOT, regenerate

PAGES = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob(".github/**/*.md")),
]

JUSTFILE = (ROOT / "justfile").read_text()


@pytest.mark.parametrize("page", generated.PAGES, ids=lambda page: page.name)
def test_the_generated_parts_of_a_page_are_up_to_date(page: Path) -> None:
    text = page.read_text()
    assert regenerate(text, generated.PAGES[page]) == text, "run `just docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path) if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked.read_text()), target


def anchors(text: str) -> set[str]:
    """The anchors of the headings of a page, as GitHub derives them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_recipe_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    recipes = re.findall(r"^([\w-]+)(?: \*ARGS)?:", JUSTFILE, re.MULTILINE)
    assert set(re.findall(r"`(?:uv run )?just ([\w-]+)", text)) <= set(recipes)
    for named in re.findall(
        r"`((?:domain|projections|transcoder|api|tests|benchmarks)/[\w/.-]+)`", text
    ):
        # Capitals stand for a name to choose.
        known = ROOT / re.sub(r"/[A-Z]+\.py$", "", named)
        assert known.exists(), named


def test_hooks_and_ci_call_recipes_only() -> None:
    recipes = re.findall(r"^([\w-]+)(?: \*ARGS)?:", JUSTFILE, re.MULTILINE)
    hooks = re.findall(r"entry: (.+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert set(hooks) <= {f"uv run just {recipe}" for recipe in recipes}
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert re.findall(r"run: (.+)", workflow) == [".ci/run"]


def test_ci_runs_every_part_of_the_check() -> None:
    check = re.search(r"^check: (.+)$", JUSTFILE, re.MULTILINE)
    assert check
    script = (ROOT / ".ci" / "run").read_text()
    listed = re.search(r"^for part in (.+); do$", script, re.MULTILINE)
    assert listed
    assert {"test", *listed[1].split()} == set(check[1].split())
