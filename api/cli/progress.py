"""Progress of long work: a bar on a terminal, plain lines elsewhere, JSON lines for machines.

All of it goes to standard error: standard output holds results alone.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from api.cli.output import errors, print_json

LINE_EVERY_SECONDS: Final = 5.0
# Before that, a rate says nothing.
RATE_AFTER_SECONDS: Final = 1.0


@contextmanager
def show_progress(label: str, *, unit: str, as_json: bool = False) -> Iterator["Reporter"]:
    """Show how far the work of the block is; quick work shows nothing but the bar."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}", markup=False),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=as_json or not errors.is_terminal,
    )
    with bar:
        yield Reporter(bar, label, unit=unit, as_json=as_json)


class Reporter:
    """Takes how far the work is, and shows it."""

    def __init__(self, bar: Progress, label: str, *, unit: str, as_json: bool) -> None:
        self._bar = bar
        self._label = label
        self._unit = unit
        self._as_json = as_json
        self._started = self._reported = time.monotonic()
        self._task = bar.add_task(label, total=None, pace="")

    def start(self, phase: str, completed: int = 0, total: int | None = None) -> None:
        """Start the next phase of work that has several: each is shown at once."""
        self._label, self._started = phase, time.monotonic()
        self._bar.reset(self._task, total=total, description=phase, pace="")
        self._print_line(completed, total)

    def update(self, completed: int, total: int | None = None, *, note: str = "") -> None:
        """Show that so much is done, of so much if that is known."""
        if not self._bar.disable:
            self._bar.update(
                self._task,
                completed=completed,
                total=None if total is None else max(total, completed),
                description=f"{self._label}{note}",
                pace=self._pace(completed),
            )
        elif time.monotonic() - self._reported >= LINE_EVERY_SECONDS:
            self._print_line(completed, total, note=note)

    def _print_line(self, completed: int, total: int | None, *, note: str = "") -> None:
        self._reported = time.monotonic()
        if self._as_json:
            print_json({"phase": self._label, "completed": completed, "total": total}, err=True)
        elif self._bar.disable:
            of = "" if total is None else f" of {total:,}"
            words = f"{completed:,}{of} {self._unit} {self._pace(completed)}".rstrip()
            typer.echo(f"{datetime.now(UTC):%H:%M:%S} {self._label:7} {words}{note}", err=True)

    def _pace(self, completed: int) -> str:
        seconds = time.monotonic() - self._started
        return f"{completed / seconds:,.0f}/s" if seconds > RATE_AFTER_SECONDS else ""
