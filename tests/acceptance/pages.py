"""Pages: documents whose console blocks are run and compared with what the page shows.

A block is ```` ```console ````, with `$ command` lines, each followed by what it printed. Before a
block, `<!-- first: NAME -->` names a step that the test takes first.
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
# Lines whose numbers matter.
_EXACT: Final = re.compile(r"^nova_|variants match the log\.$|^Would remove")
# Progress lines: a slow machine prints more of them.
_PROGRESS: Final = re.compile(r'\d\d:\d\d:\d\d |{"phase":')
# What differs between runs, and its placeholder; replaced in this order.
_VARYING: Final = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
    (r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}\b", "+KEY"),
    (r"\b[0-9a-f]{12,64}\b", "DIGEST"),
    (r"(cli:|nova \w+)?\w*@[\w.-]+", r"\1SOMEBODY"),
    (r"\bcheckpoints?\b", "CHECKPOINTS"),
    (r"\b(thumbnail|medium|original)\b", "VARIANT"),
    (r"\d[\d,.:T+-]*(Z\b)?", "0"),
    (r"[ \t]+", " "),
    (r"-{2,}|─+", "-"),
)


def run_page(page: str, *, folder: Path, environ: Mapping[str, str], first: Preparations) -> str:
    """Return the page with the current output of its commands."""

    def rerun(block: re.Match[str]) -> str:
        if block["first"]:
            first[block["first"]]()
        commands = re.findall(r"^\$ (.*)$", block["body"], re.MULTILINE)
        shown = [f"$ {command}\n{_run(command, folder, environ)}" for command in commands]
        return block[0].replace(block["body"], "\n".join(part.rstrip() + "\n" for part in shown))

    return _BLOCK.sub(rerun, page)


def in_essence(page: str) -> list[str]:
    """Return the lines of a page with placeholders for what differs between runs."""
    return [_essence(line).strip() for line in page.splitlines()]


def _essence(line: str) -> str:
    if _EXACT.search(line):
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
    lines = (line.rstrip() for line in done.stdout.splitlines() if not _PROGRESS.match(line))
    return "\n".join(lines) + "\n"
