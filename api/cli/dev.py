"""`nova dev`: the whole stack on this machine until somebody stops it."""

from pathlib import Path
from typing import Final

import anyio
from rich.console import Console

from api.cli.foreground import foreground_stack
from api.http.app import DOCS_PATH
from api.settings import environ
from api.stack.folder import read_jwt_secret
from api.stack.local import LocalStack

DEFAULT_PORT: Final = 8000

_console = Console(highlight=False, soft_wrap=True)


async def run_dev(folder: Path, port: int | None) -> None:
    """Run the stack in `folder` until SIGINT or SIGTERM, then stop it in order.

    Without a port, the API listens on APP_PORT, or on 8000 when that is not set either.

    Raises:
        StackError: it could not be started; the message says what to do.
    """
    if port is None and not environ().get("APP_PORT"):
        port = DEFAULT_PORT
    async with foreground_stack(folder, port=port, console=_console) as stack:
        _introduce(stack)
        _console.print(f"{await stack.wait_fatal()}; still trying", markup=False)
        await anyio.sleep_forever()


def jwt_secret(folder: Path) -> str:
    """The secret that signs tokens: JWT_SECRET when set, otherwise that of the stack's folder."""
    return environ().get("JWT_SECRET") or read_jwt_secret(folder)


def _introduce(stack: LocalStack) -> None:
    _console.print(f"\nThe API is at  [bold]{stack.url}/api/v1[/bold]")
    _console.print(f"Its docs are at  {stack.url}{DOCS_PATH}")
    _console.print(f"For a token:  nova token --user $(uuidgen) --data {stack.folder}")
    shown = ", ".join(f"{url} ({name})" for name, url in stack.metrics_urls.items())
    _console.print(f"Metrics are at  {shown}")
    _console.print("Ctrl-C stops everything.\n")
