"""The generated parts of `docs/licences.md`: the licences of all wheels that the service needs."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Final

from msgspec import Struct
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.bundled import LIBRARIES, REASONS

ROOT: Final = Path(__file__).parents[2]
SERVICE: Final = "service"

_BUNDLED: Final = re.compile(r"[^/]+\.libs/(lib.+?)-[0-9a-f]{8}(?:-[0-9a-f]{8})?\.")
_COPYLEFT: Final = re.compile(r"(?<![A-Za-z])A?GPL|GNU (Affero )?General Public")


class Wheel(Struct, frozen=True, kw_only=True):
    """A distribution that the service or one of its extras needs.

    `libraries` are the shared libraries that it bundles, `crates` the Rust crates that are linked
    into it, each with its licence.
    """

    name: str
    needed_by: str
    licence: str
    libraries: dict[str, str]
    crates: dict[str, str]


def listed() -> Iterator[str]:
    """Every wheel with its licence."""
    yield from ("| wheel | needed by | licence |", "|---|---|---|")
    for wheel in wheels():
        yield f"| {wheel.name} | {wheel.needed_by} | {wheel.licence} |"


def libraries() -> Iterator[str]:
    """Every library that a wheel bundles, with its licence."""
    yield from ("| wheel | library | licence |", "|---|---|---|")
    for wheel in wheels():
        for name, licence in wheel.libraries.items():
            yield f"| {wheel.name} | {name} | {licence} |"


def reasons() -> Iterator[str]:
    """Everything under the GPL, and why it is shipped all the same."""
    yield from ("| what | why it is shipped |", "|---|---|")
    yield from (f"| {what} | {reason} |" for what, reason in REASONS.items())


@cache
def wheels() -> list[Wheel]:
    """All wheels that are installed for the service, and those its extras add, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {SERVICE: project["dependencies"], **project["optional-dependencies"]}
    found: dict[str, Wheel] = {}
    for needed_by, requirements in needed.items():
        for name, installed in _closure(map(Requirement, requirements)).items():
            found.setdefault(name, _describe(name, installed, needed_by=needed_by))
    return [found[name] for name in sorted(found)]


def copyleft(wheel: Wheel) -> Iterator[str]:
    """What of a wheel has no licence but the GPL or AGPL: a key of `REASONS`, or one to add."""
    if is_copyleft(wheel.licence):
        yield wheel.name
    for part, licence in {**wheel.libraries, **wheel.crates}.items():
        if is_copyleft(licence):
            yield part if part in REASONS else f"{wheel.name}/{part}"


def is_copyleft(licence: str) -> bool:
    """Whether every choice of an SPDX expression includes the GPL or AGPL; the LGPL is neither."""
    return all(_COPYLEFT.search(choice) for choice in licence.split(" OR "))


def _closure(requirements: Iterable[Requirement]) -> dict[str, Distribution]:
    """The distributions that are installed for `requirements`, by canonical name."""
    found: dict[str, Distribution] = {}
    waiting = [
        (requirement, extra) for requirement in requirements for extra in _extras(requirement)
    ]
    seen = set()
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        found[name] = distribution(name)
        for text in found[name].requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(needed, each) for each in _extras(needed)]
    return found


def _extras(requirement: Requirement) -> set[str]:
    return {"", *requirement.extras}


def _describe(name: str, installed: Distribution, *, needed_by: str) -> Wheel:
    return Wheel(
        name=name,
        needed_by=needed_by,
        licence=_licence(installed),
        libraries=_libraries(name, installed),
        crates=_crates(installed),
    )


def _licence(installed: Distribution) -> str:
    """The SPDX expression, else the classifiers, else the first line of the text."""
    metadata = installed.metadata
    if expressions := metadata.get_all("License-Expression"):
        return str(expressions[0])
    classifiers = metadata.get_all("Classifier") or ()
    named = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License ::")]
    (text,) = metadata.get_all("License") or ("",)
    return ", ".join(sorted(named)) or text.partition("\n")[0]


def _libraries(name: str, installed: Distribution) -> dict[str, str]:
    """The shared libraries that the wheel bundles, as auditwheel names them."""
    matches = (_BUNDLED.match(str(file)) for file in installed.files or ())
    libraries = sorted({match[1] for match in matches if match})
    return {each: LIBRARIES.get(f"{name}/{each}") or LIBRARIES.get(each, "") for each in libraries}


def _crates(installed: Distribution) -> dict[str, str]:
    """The Rust crates that are linked into the wheel, by its bill of materials."""
    crates: dict[str, str] = {}
    for file in installed.files or ():
        if "sboms/" in str(file) and file.name.endswith(".json"):
            for each in json.loads(file.read_text()).get("components", ()):
                for licence in each.get("licenses", ()):
                    crates[each["name"]] = licence.get("expression", "")
    return crates
