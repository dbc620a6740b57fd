"""The parts of the docs that are generated from the code; `just docs` writes them."""

import platform
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias, get_args
from uuid import uuid4

from importlinter.api import read_configuration
from msgspec.structs import fields, replace

from domain import lifecycle
from domain.events import Event, Fact, topic_of
from domain.post import evolve
from tests import histories
from tests.architecture import licences

# The generators of a page's blocks, by the name of the block.
Generators: TypeAlias = Mapping[str, Callable[[], Iterator[str]]]

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("api", "transcoder", "projections", "domain")


def regenerate(page: str, generators: Generators) -> str:
    """Replace each `<!-- begin: NAME -->` block of a page by what the code says now."""
    for name, generate in generators.items():
        before, _, rest = page.partition(f"<!-- begin: {name} -->\n")
        after = rest.partition(f"<!-- end: {name} -->")[2]
        block = "\n".join(generate())
        page = f"{before}<!-- begin: {name} -->\n{block}\n<!-- end: {name} -->{after}"
    return page


def rooms() -> Iterator[str]:
    """Every package with its rooms, and every import between rooms that the contracts allow."""
    allowed = _allowed_imports()
    shown = [room for room in allowed if (ROOT / room.replace(".", "/")).is_dir()]
    yield from ("```mermaid", "flowchart TB")
    for package in PACKAGES:
        yield f"  subgraph {package}"
        for room in shown:
            if room.startswith(f"{package}."):
                yield f"    {room}[{room.partition('.')[2]}]"
        yield "  end"
    for room in shown:
        # The arrows to the domain would hide the others: every room may import it.
        targets = {name for name in allowed[room] if not name.startswith("domain")}
        yield from (f"  {room} --> {name}" for name in shown if name in targets)
        yield from (f"  {room} --> {name}" for name in PACKAGES if name in targets)
    yield from ("  transcoder --> domain", "  projections --> domain", "```")


def _allowed_imports() -> Mapping[str, list[str]]:
    contracts = read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    rooms_of = {each["package"]: each["rooms"] for each in contracts if each["type"] == "rooms"}
    return {
        f"{package}.{room}": names
        for package in PACKAGES
        for room, names in rooms_of[package].items()
    }


def states() -> Iterator[str]:
    """Every legal transition of a post that changes its status, and what is legal without."""
    yield from ("```mermaid", "stateDiagram-v2")
    post, _ = histories.after(histories.create_post())
    for event in _one_of_each():
        for status in sorted(lifecycle._allowed_in(event), key=str):
            after = evolve(replace(post, status=status) if status else None, event)
            yield f"  {status or '[*]'} --> {after.status}: {topic_of(event)}"
    yield from ("  deleted --> [*]", "```")


def _one_of_each() -> list[Event]:
    """One event of each kind, in the order of the union."""
    post_id = uuid4()
    published = histories.publishing_commands(post_id)
    failed = [*published[:2], histories.fail_post(post_id), histories.retry_post(post_id)]
    left = [
        *published,
        histories.caption_post(post_id, caption="Another"),
        histories.fail_reprocessing(post_id),
        histories.delete_post(post_id),
    ]
    replaced = [*published, histories.reprocess_post(post_id)]
    found: dict[type, Event] = {}
    for commands in (left, failed, replaced):
        found.update({type(event): event for event in histories.after(*commands)[1]})
    return [found[kind] for kind in get_args(Event)]


def events() -> Iterator[str]:
    """Every event: its topic, its version, its meaning and the fields of its own."""
    yield from ("| topic | version | meaning | fields |", "|---|---|---|---|")
    common = {field.name for field in fields(Fact)} | {"schema_version"}
    for kind in get_args(Event):
        own = ", ".join(f"`{field.name}`" for field in fields(kind) if field.name not in common)
        version = next(field.default for field in fields(kind) if field.name == "schema_version")
        meaning = kind.__doc__.partition("\n")[0]
        yield f"| `{kind.__struct_config__.tag}` | {version} | {meaning} | {own or '–'} |"


_LICENCES: Final[Generators] = {"wheels": licences.listed, "reasons": licences.reasons}
# Wheels for other platforms bundle other libraries.
_IS_WHERE_IT_IS_SHIPPED: Final = (platform.system(), platform.machine()) == ("Linux", "x86_64")

PAGES: Final[Mapping[Path, Generators]] = {
    ROOT / "docs" / "architecture.md": {"rooms": rooms, "states": states, "events": events},
    ROOT / "docs" / "licences.md": {
        **_LICENCES,
        **({"libraries": licences.libraries} if _IS_WHERE_IT_IS_SHIPPED else {}),
    },
}

if __name__ == "__main__":
    for path, generators in PAGES.items():
        path.write_text(regenerate(path.read_text(), generators))
