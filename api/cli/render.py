"""`nova render`: the transcoder on local files, with the milliseconds of each step."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from transcoder.errors import TranscoderError
from transcoder.local_files import RenderedFile, render_files
from transcoder.rendering import Rendering

# People are spared steps that take less; machines get every one.
WORTH_TELLING_MS: Final = 0.5

WIDE: Final = 400

_console = Console(highlight=False, soft_wrap=True)


async def run_render(photos: Sequence[Path], out: Path, *, workers: int, as_json: bool) -> bool:
    """Render the photos, tell what became of each, and return whether all were rendered.

    Raises:
        OSError: a photo cannot be read, or a variant not be written.
    """
    outcomes: list[bool] = []

    def finished(file: RenderedFile) -> None:
        outcomes.append(isinstance(file.outcome, Rendering))
        if as_json:
            print(msgspec.json.encode(_as_fields(file)).decode(), flush=True)  # noqa: T201
        else:
            _show(file)

    await render_files(photos, out=out, workers=workers, finished=finished)
    return all(outcomes)


def _as_fields(file: RenderedFile) -> dict[str, Any]:
    """One line for machines: everything that the events of a post would say."""
    if isinstance(file.outcome, TranscoderError):
        return {
            "photo": str(file.photo),
            "code": file.outcome.code,
            "message": file.outcome.message,
            "reason": str(file.outcome),
        }
    fields: dict[str, Any] = msgspec.to_builtins(file.outcome, builtin_types=(bytes,))
    for variant in fields["variants"]:
        del variant["content"]
        variant["path"] = str(file.folder / f"{variant['name']}.jpg")
    return {"photo": str(file.photo), "milliseconds": _total(file.outcome), **fields}


def _show(file: RenderedFile) -> None:
    name = escape(str(file.photo))
    if isinstance(file.outcome, TranscoderError):
        reason = f"{file.outcome.message} ({file.outcome.code}: {file.outcome})"
        _console.print(f"\n[bold]{name}[/bold]  [red]{escape(reason)}[/red]")
        return
    made = file.outcome
    _console.print(
        f"\n[bold]{name}[/bold]  {made.content_type}, {made.width} × {made.height}"
        f"  [green]{_total(made):.0f} ms[/green]  [{made.dominant_colour}]██[/]"
    )
    steps = made.step_milliseconds.items()
    told = (f"{step} {spent:.1f}" for step, spent in steps if spent >= WORTH_TELLING_MS)
    _console.print(f"  [dim]{', '.join(told)} ms[/dim]")
    table = Table(box=None, show_header=False, padding=(0, 2))
    for variant in made.variants:
        table.add_row(
            variant.name,
            f"{variant.width} × {variant.height}",
            f"q{variant.quality}",
            f"{variant.file_size:,} bytes",
            escape(str(file.folder / f"{variant.name}.jpg")),
        )
    # Paths are to be copied: they are never cut, however narrow the terminal is.
    Console(width=WIDE, highlight=False).print(table)


def _total(made: Rendering) -> float:
    return round(sum(made.step_milliseconds.values()), 3)
