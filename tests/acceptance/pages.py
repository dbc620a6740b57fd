"""Pages: documents whose console blocks are run, to see that they show what really comes out.

A block is ```` ```console ````, with `$ command` lines, each followed by what it printed. Before a
block, `<!-- first: NAME -->` names something that has to happen first, which the test does.
"""

import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

Preparations = Mapping[str, Callable[[], None]]

WITHIN_SECONDS: Final = 60
_BLOCK: Final = re.compile(
    r"(?:<!-- first: (?P<first>\w+) -->\n)?```console\n(?P<body>.*?)```", re.DOTALL
)
# Lines whose numbers are what they are there for.
_TELLING: Final = re.compile(r"^nova_|^ *\d+ differences$|not as recorded$|would be removed")
# What differs from one run to the next, in the order in which it is made the same.
_VARYING: Final = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
    (r"[A-Za-z0-9+/]{43}=", "KEY"),
    (r"\b[0-9a-f]{12,64}\b", "DIGEST"),
    (r"(cli:|nova \w+)?\w*@[\w.-]+", r"\1SOMEBODY"),
    (r"\b(thumbnail|medium|original)\b", "VARIANT"),
    (r"\d[\d,.:T+-]*(Z\b)?", "0"),
    (r"[ \t]+", " "),
    (r"-{2,}|─+", "-"),
)


def run_page(page: str, *, folder: Path, environ: Mapping[str, str], first: Preparations) -> str:
    """The page with what its commands print now."""

    def rerun(block: re.Match[str]) -> str:
        if block["first"]:
            first[block["first"]]()
        commands = re.findall(r"^\$ (.*)$", block["body"], re.MULTILINE)
        shown = [f"$ {command}\n{_run(command, folder, environ)}" for command in commands]
        return block[0].replace(block["body"], "\n".join(part.rstrip() + "\n" for part in shown))

    return _BLOCK.sub(rerun, page)


def in_essence(page: str) -> list[str]:
    """The lines of a page with everything the same that differs from one run to the next."""
    return [_essence(line).strip() for line in page.splitlines()]


def _essence(line: str) -> str:
    if _TELLING.search(line):
        return line
    for varying, same in _VARYING:
        line = re.sub(varying, same, line)
    return line


def _run(command: str, folder: Path, environ: Mapping[str, str]) -> str:
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN_SECONDS,
        check=False,
    )
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"
