"""`nova audit export`: any span of the log as JSON lines, in constant memory."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer

from api.cli.errors import friendly_errors
from api.cli.options import Out, Since, Until
from api.cli.output import errors, print_json
from api.cli.progress import show_progress
from api.cli.session import AuditSession, run_audited
from projections.audit.events import EventFilter, stream_events


@friendly_errors()
def export(
    since: Since = None,
    until: Until = None,
    out: Out = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON on standard error.")
    ] = False,
) -> None:
    """Write events as JSON lines, oldest first."""
    chosen = EventFilter(since=since, until=until)
    count, seconds = run_audited(lambda session: _export(session, chosen, out=out, as_json=as_json))
    if as_json:
        print_json({"events": count, "seconds": round(seconds, 3)}, err=True)
    else:
        errors.print(f"Exported {count:,} events in {seconds:.1f} s ({count / seconds:,.0f}/s).")


async def _export(
    session: AuditSession, chosen: EventFilter, *, out: Path | None, as_json: bool
) -> tuple[int, float]:
    file_name = str(out) if out else None
    await session.record("nova audit export", **msgspec.to_builtins(chosen), out=file_name)
    count, started, encoder = 0, time.perf_counter(), msgspec.json.Encoder()
    with (
        _open(out) as file,
        show_progress("exporting", unit="events", as_json=as_json) as progress,
    ):
        async for batch in stream_events(session.connect, chosen):
            file.write(encoder.encode_lines(batch))
            count += len(batch)
            progress.update(count)
    return count, time.perf_counter() - started


@contextmanager
def _open(out: Path | None) -> Iterator[BinaryIO]:
    """Open the file under a temporary name, and rename it when it is complete."""
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
