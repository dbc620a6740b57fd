"""Output: one console for each stream, tables and JSON lines.

Nothing is ever cut off: a table that is too wide for the terminal becomes one block per row, and
lines that are still too long are wrapped by the terminal, so that ids and URLs can be copied.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import typer
from rich.cells import cell_len
from rich.console import Console

from api.settings import environ

_GAP: Final = 2


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to `friendly_errors`: Rich would exit with 1."""
        raise BrokenPipeError


def open_console(*, stderr: bool = False) -> Console:
    """A console that prints plain text into pipes and where NO_COLOR is set."""
    return _Console(
        stderr=stderr,
        highlight=False,
        soft_wrap=True,
        color_system=None if environ().get("NO_COLOR") else "auto",
    )


console: Final = open_console()
errors: Final = open_console(stderr=True)


def quantity(number: int, noun: str) -> str:
    """A number with its noun: "1 post", "1,200 posts"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def print_json(value: object, *, err: bool = False) -> None:
    """Print one JSON line."""
    typer.echo(msgspec.json.encode(value), err=err)


def escape_control(text: str) -> str:
    """Replace what a terminal would obey or hide, such as ESC and changes of direction, by escapes.

    Texts of users reach the tables: an older log holds file names as they were sent.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows below their column names, or one block per row where that is too wide."""
    rows = [[escape_control(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]
    if console.is_terminal and sum(widths) + _GAP * (len(widths) - 1) > console.width:
        _print_blocks(columns, rows)
        return
    console.print(_line(columns, widths), style="bold", markup=False)
    for row in rows:
        console.print(_line(row, widths), markup=False)


def _print_blocks(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    width = max(map(cell_len, columns))
    for row in rows:
        for name, cell in zip(columns, row, strict=True):
            if cell:
                console.print(f"{_pad(name, width)}  {cell}", markup=False)
        console.print()


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (_pad(cell, width) for cell, width in zip(cells, widths, strict=True))
    return (" " * _GAP).join(padded).rstrip()


def _pad(cell: str, width: int) -> str:
    return cell + " " * (width - cell_len(cell))
