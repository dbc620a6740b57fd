"""Progress of a rebuild: a bar on a terminal, plain lines or JSON lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from projections.rebuild.rebuild import Rebuilt

LINE_EVERY_SECONDS: Final = 1.0


@contextmanager
def progress(*, as_json: bool) -> Iterator["RebuildProgress"]:
    """Show a rebuild for as long as the block runs."""
    console = Console()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f} events/s"),
        TimeRemainingColumn(),
        console=console,
        disable=as_json or not console.is_terminal,
    )
    with bar:
        yield RebuildProgress(bar, as_json=as_json)


class RebuildProgress:
    """Takes reports of a rebuild and shows them, lines at most once a second in each phase."""

    def __init__(self, bar: Progress, *, as_json: bool) -> None:
        self._bar = bar
        self._as_json = as_json
        self._task = bar.add_task("start", total=None, rate=0.0)
        self._started = time.monotonic()
        self._phase = ""
        self._phase_started = self._said = 0.0

    def report(self, phase: str, position: int, target: int) -> None:
        """Show that `phase` has come to `position`."""
        if phase != self._phase:
            self._phase, self._phase_started, self._said = phase, time.monotonic(), 0.0
            self._bar.reset(self._task, total=target, description=phase)
        seconds = time.monotonic() - self._phase_started
        # Before that it says nothing.
        rate = position / seconds if seconds > LINE_EVERY_SECONDS else 0.0
        if not self._bar.disable:
            self._bar.update(
                self._task, description=phase, completed=position, total=target, rate=rate
            )
            return
        if time.monotonic() - self._said < LINE_EVERY_SECONDS:
            return
        self._said = time.monotonic()
        if self._as_json:
            self._print_json({"phase": phase, "position": position, "target": target})
        else:
            pace = f"  {rate:,.0f} events/s" if rate else ""
            typer.echo(f"{phase:7} {position:,} of {target:,}{pace}")

    def finish(self, rebuilt: Rebuilt) -> None:
        """Say what was done."""
        seconds = time.monotonic() - self._started
        if self._as_json:
            tables = msgspec.to_builtins(rebuilt.verification.tables)
            done = {"phase": "done", "position": rebuilt.position, "seconds": round(seconds, 3)}
            self._print_json({**done, "tables": tables})
            return
        events = rebuilt.verification.events
        typer.echo(
            f"rebuilt, verified and swapped at position {rebuilt.position:,}: {events:,} events "
            f"in {seconds:.1f} s ({events / seconds:,.0f} events/s), 0 differences"
        )

    def _print_json(self, value: object) -> None:
        typer.echo(msgspec.json.encode(value).decode())
