"""`nova render`: the transcoder on local files, with the milliseconds of each step."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import anyio
import msgspec
import typer
from rich.markup import escape

from api.cli.errors import friendly_errors
from api.cli.options import AsJson
from api.cli.output import console, print_json, print_table
from transcoder.errors import TranscoderError
from transcoder.local_files import RenderedFile, render_files
from transcoder.rendering import Rendering

# The lines for people leave out faster steps; JSON has all of them.
SHOWN_FROM_MS: Final = 0.5


@friendly_errors()
def render(
    photos: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help="Photos to render.", metavar="PHOTO..."),
    ],
    out: Annotated[
        Path, typer.Option(help="Output directory, one subfolder per photo.", metavar="DIR")
    ],
    workers: Annotated[
        int, typer.Option(min=1, help="Photos rendered in parallel.", metavar="N")
    ] = 1,
    *,
    as_json: AsJson = False,
) -> None:
    """Render local photos to variants, with the milliseconds of each step."""
    all_rendered = anyio.run(partial(_render, photos, out, workers=workers, as_json=as_json))
    raise typer.Exit(0 if all_rendered else 1)


async def _render(photos: Sequence[Path], out: Path, *, workers: int, as_json: bool) -> bool:
    outcomes: list[bool] = []

    def finished(file: RenderedFile) -> None:
        outcomes.append(isinstance(file.outcome, Rendering))
        if as_json:
            print_json(_as_fields(file))
        else:
            _show(file)

    await render_files(photos, out=out, workers=workers, finished=finished)
    return all(outcomes)


def _as_fields(file: RenderedFile) -> dict[str, Any]:
    """Everything that the events of a post would hold."""
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
        variant["variant"] = name = variant.pop("name")
        variant["path"] = str(file.folder / f"{name}.jpg")
    return {"photo": str(file.photo), "milliseconds": _total(file.outcome), **fields}


def _show(file: RenderedFile) -> None:
    name = escape(str(file.photo))
    if isinstance(file.outcome, TranscoderError):
        reason = f"{file.outcome.message} ({file.outcome.code}: {file.outcome})"
        console.print(f"\n[bold]{name}[/bold]  [red]{escape(reason)}[/red]")
        return
    made = file.outcome
    console.print(
        f"\n[bold]{name}[/bold]  {made.content_type}, {made.width} × {made.height}"
        f"  [green]{_total(made):.0f} ms[/green]  [{made.dominant_colour}]██[/]"
    )
    steps = made.step_milliseconds.items()
    shown = (f"{step} {spent:.1f}" for step, spent in steps if spent >= SHOWN_FROM_MS)
    console.print(f"  [dim]{', '.join(shown)} ms[/dim]")
    rows = [
        (
            variant.name,
            f"{variant.width} × {variant.height}",
            f"q{variant.quality}",
            f"{variant.file_size:,}",
            str(file.folder / f"{variant.name}.jpg"),
        )
        for variant in made.variants
    ]
    print_table(("variant", "size", "quality", "bytes", "file"), rows)


def _total(made: Rendering) -> float:
    return round(sum(made.step_milliseconds.values()), 3)
