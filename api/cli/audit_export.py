"""Audit export: any span of the log as JSON lines, whatever its length in the same memory."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from api.cli.audit_session import AuditDesk
from projections.audit.events import EventFilter, stream_events

_errors = Console(stderr=True, highlight=False, soft_wrap=True)


async def export_events(
    desk: AuditDesk, asked: EventFilter, *, out: Path | None, as_json: bool
) -> None:
    """Write the events, oldest first; a file appears under its name only when it is complete.

    Raises:
        OSError: the file cannot be written.
    """
    await desk.record(
        "nova audit export", **msgspec.to_builtins(asked), out=str(out) if out else None
    )
    started, count, encoder = time.perf_counter(), 0, msgspec.json.Encoder()
    with _opened(out) as file, progress() as tell:
        async for batch in stream_events(desk.connect, asked):
            file.write(encoder.encode_lines(batch))
            count += len(batch)
            tell(count)
    _summarise(count, seconds=time.perf_counter() - started, as_json=as_json)


@contextmanager
def progress() -> Iterator[Callable[[int], None]]:
    """Tell on a terminal how many events were read so far; elsewhere keep quiet."""
    columns = (
        SpinnerColumn(),
        MofNCompleteColumn(),
        TextColumn("events"),
        TextColumn("{task.fields[rate]}/s"),
        TimeElapsedColumn(),
    )
    shown = Progress(*columns, console=_errors, transient=True, disable=not _errors.is_terminal)
    started = time.perf_counter()
    with shown:
        task = shown.add_task("", total=None, rate="")

        def tell(count: int) -> None:
            rate = f"{count / (time.perf_counter() - started):,.0f}"
            shown.update(task, completed=count, rate=rate)

        yield tell


@contextmanager
def _opened(out: Path | None) -> Iterator[BinaryIO]:
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as file:
            yield file
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _summarise(count: int, *, seconds: float, as_json: bool) -> None:
    if as_json:
        summary = msgspec.json.encode({"events": count, "seconds": round(seconds, 3)})
        _errors.print(summary.decode(), markup=False)
    else:
        rate = count / seconds if seconds else 0
        _errors.print(f"{count:,} events in {seconds:.1f} s ({rate:,.0f}/s)")
