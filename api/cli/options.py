"""Options and arguments that several verbs share."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TIME: Final = "TIME|7d|24h"


def parse_time(text: str) -> datetime:
    """A time (UTC unless it has an offset), or how long ago: 90s, 15m, 24h, 7d."""
    if ago := re.fullmatch(r"(\d{1,6})([smhd])", text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("use a time like 2026-11-23T12:00:00Z, or 24h for ago") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def writable_file(text: str) -> Path:
    """The path of a file in a folder that exists: better known before an hour of work."""
    path = Path(text)
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder")
    if not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}")
    return path


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one value per line.")]
Since = Annotated[
    datetime | None,
    typer.Option(parser=parse_time, metavar=_TIME, help="Only from this time on."),
]
Until = Annotated[
    datetime | None,
    typer.Option(parser=parse_time, metavar=_TIME, help="Only before this time."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        parser=writable_file,
        help="Write to this file instead of standard output.",
        metavar="FILE",
    ),
]
Limit = Annotated[int, typer.Option(min=1, help="Show at most this many.", metavar="N")]
Data = Annotated[
    Path, typer.Option("--data", help="Folder that holds the stack's data.", metavar="DIR")
]

DEFAULT_LINES: Final = 50
DEFAULT_FOLDER: Final = Path(".nova")
