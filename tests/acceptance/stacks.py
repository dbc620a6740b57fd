"""Whole stacks of real processes, each in a temporary folder."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from api.stack.local import SERVICES, LocalStack, local_stack
from tests.servers import temporary_stack_folder


@contextmanager
def run_local_stack(
    environ: Mapping[str, str] | None = None,
    *,
    services: Mapping[str, Sequence[str]] = SERVICES,
    folder: Path | None = None,
) -> Iterator[LocalStack]:
    """Run a stack with these settings until the block ends; other tests need the other cores.

    What it holds is gone with it, unless it is given a folder.

    A test is one user, who may fill a tenth of the queue.
    """
    defaults = {"WORKER_CONCURRENCY": "1", "LIMITS": "false", "JOB_QUEUE_CAPACITY": "1000"}
    environ = {**defaults, **(environ or {})}
    given = nullcontext(folder) if folder else temporary_stack_folder()
    with given as path, start_blocking_portal() as portal:
        context = local_stack(
            folder=path, port=None, environ=environ, report=print, services=services
        )
        with portal.wrap_async_context_manager(context) as stack:
            yield stack
