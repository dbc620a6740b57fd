"""A local stack in the foreground of a terminal, stopped by Ctrl-C."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from api.cli.output import console
from api.cli.version import nova_version
from api.settings import environ
from api.stack.environment import check_environ, drop_unset
from api.stack.local import LocalStack, local_stack
from api.stack.supervisor import unwrap_single_error


@asynccontextmanager
async def foreground_stack(folder: Path, *, port: int | None) -> AsyncIterator[LocalStack]:
    """Run the stack in `folder` until the block ends, or until SIGINT or SIGTERM ends the block.

    Everything is stopped in order in either case, and the code after the block runs.

    Raises:
        KeyboardInterrupt: a signal came before the stack was up; everything is stopped again.
        StackError: the stack did not start; the message says what to do.
        WrongSettings: a setting of the stack is wrong.
    """
    check_environ(drop_unset(environ()))
    console.print(f"nova {nova_version()}")
    console.print(f"Starting the stack in {folder} …", markup=False)
    # Reports quote log lines, whose brackets are not markup.
    report = partial(console.print, markup=False)
    is_up = False
    with unwrap_single_error():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_on_signal, tasks.cancel_scope)
            async with local_stack(
                folder=folder, port=port, environ=environ(), report=report
            ) as stack:
                is_up = True
                yield stack
            tasks.cancel_scope.cancel()
    console.print("Stopped.")
    if not is_up:
        raise KeyboardInterrupt


async def _cancel_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for received in signals:
            console.print(f"\n{received.name}: stopping.")
            scope.cancel()
            return
