"""`nova dev`: the whole stack on this machine until SIGINT or SIGTERM."""

from pathlib import Path
from typing import Annotated, Final

import anyio
import typer

from api.cli.errors import friendly_errors
from api.cli.foreground import foreground_stack
from api.cli.options import DEFAULT_FOLDER, Data
from api.cli.output import console
from api.cli.qr import print_qr_code
from api.http.openapi.config import DOCS_PATH
from api.settings import environ
from api.stack.addresses import is_open
from api.stack.local import LocalStack

DEFAULT_PORT: Final = 8000


@friendly_errors()
def dev(
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port of the API. APP_PORT or 8000 by default.", metavar="N"
        ),
    ] = None,
    folder: Data = DEFAULT_FOLDER,
) -> None:
    """Run everything on this machine until Ctrl-C.

    With APP_HOST=0.0.0.0, phones in the same network reach it, at the printed address.
    """
    anyio.run(run_dev, folder, port)


async def run_dev(folder: Path, port: int | None) -> None:
    """Run the stack in `folder` until SIGINT or SIGTERM, then stop it in order.

    Without a port, the API listens on APP_PORT, or on 8000 where that is not set.

    Raises:
        StackError: the stack did not start; the message says what to do.
    """
    if port is None and not environ().get("APP_PORT"):
        port = DEFAULT_PORT
    async with foreground_stack(folder, port=port) as stack:
        _introduce(stack)
        console.print(f"{await stack.wait_fatal()}; still trying", markup=False)
        await anyio.sleep_forever()


def _introduce(stack: LocalStack) -> None:
    console.print(f"\nAPI      [bold]{stack.url}/api/v1[/bold]")
    console.print(f"Docs     {stack.url}{DOCS_PATH}")
    console.print(f"Token    nova token --data {stack.folder}")
    for name, url in stack.metrics_urls.items():
        console.print(f"Metrics  {url} ({name})")
    _introduce_to_phones(stack)
    console.print("Press Ctrl-C to stop everything.\n")


def _introduce_to_phones(stack: LocalStack) -> None:
    if stack.public_url is not None:
        console.print(f"Phone    [bold]{stack.public_url}/api/v1[/bold]")
        print_qr_code(f"{stack.public_url}{DOCS_PATH}")
    elif is_open(stack.environ):
        console.print("Phone    this machine has no address in a network; set PUBLIC_URL")
    else:
        console.print("Phone    to reach it from a phone: APP_HOST=0.0.0.0 nova dev")
