"""The real stack for benchmarks, and the percentiles at the end of a run."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Final

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from psycopg import AsyncConnection

from api.migrate import migrate
from api.stack.local import LocalStack, local_stack
from benchmarks.load_clients import ROOM, Clients, clients_of
from benchmarks.report import Report
from benchmarks.targets import AIM_SECONDS, HARD_LIMIT_SECONDS, TARGET_SECONDS
from domain.jobs import QUEUES
from tests.servers import running_postgres, temporary_stack_folder
from tests.transcoder import pictures
from transcoder.queue.lanes import lanes_alive

pytest_plugins = ["tests.servers", "tests.databases"]

WORKER_WITHIN_SECONDS: Final = 60

_MEASURED: Final = pytest.StashKey[dict[str, list[float]]]()


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """A thread with an event loop, for the parts of a benchmark that are async."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="session")
def stack(portal: BlockingPortal) -> Iterator[LocalStack]:
    """The whole stack as processes, in a folder of its own."""
    # Not pytest's own folder: it takes back the permission that PostgreSQL needs under root.
    with TemporaryDirectory(prefix="nova-bench-") as parent:
        environ = {"JOB_QUEUE_CAPACITY": str(ROOM), "LIMITS": "false"}
        folder = Path(parent) / "stack"
        starting = local_stack(folder=folder, port=None, environ=environ, report=print)
        with portal.wrap_async_context_manager(starting) as stack:
            portal.call(_wait_for_the_worker, stack)
            yield stack


async def _wait_for_the_worker(stack: LocalStack) -> None:
    """Its image processes rehearse first: a stack that still starts is not one that idles."""
    url = stack.environ["DATABASE_URL"]
    with anyio.fail_after(WORKER_WITHIN_SECONDS):
        async with await AsyncConnection.connect(url, autocommit=True) as connection:
            while await lanes_alive(connection) < len(QUEUES):
                await anyio.sleep(0.1)


@pytest.fixture(scope="module")
def durable_url(portal: BlockingPortal) -> Iterator[str]:
    """A migrated database on a server that waits for its disk, for whatever speaks of capacity."""
    with temporary_stack_folder() as folder:
        server = running_postgres(folder, durable=True)
        with portal.wrap_async_context_manager(server) as url:
            migrate(url)
            yield url


@pytest.fixture(scope="session")
def large_photo(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A 12-megapixel JPEG, drawn as the demo draws it."""
    path: Path = tmp_path_factory.mktemp("photo") / "12-megapixel.jpg"
    subprocess.run([sys.executable, "-m", "transcoder.sample", str(path)], check=True)
    return path.read_bytes()


@pytest.fixture(scope="session")
def small_photo() -> bytes:
    """A JPEG of 100 KB."""
    return pictures.jpeg(pictures.noise(450, 340), quality=85)


@pytest.fixture
async def clients(stack: LocalStack) -> AsyncIterator[Clients]:
    """Clients of the stack."""
    async with clients_of(stack) as clients:
        yield clients


@pytest.fixture
def is_measuring(request: pytest.FixtureRequest) -> bool:
    """Whether speed counts in this run."""
    return bool(request.config.getoption("benchmark_enable"))


@pytest.fixture
def report_percentiles(request: pytest.FixtureRequest) -> Report:
    """Hand in measured seconds under a name, for the table at the end."""
    measured = request.config.stash.setdefault(_MEASURED, {})

    def report(name: str, seconds: list[float]) -> None:
        measured[name] = seconds

    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the percentiles of everything that was measured."""
    for name, seconds in config.stash.get(_MEASURED, {}).items():
        terminalreporter.section(name)
        terminalreporter.write_line(_percentiles(seconds))
        terminalreporter.write_line(
            f"hard limit {HARD_LIMIT_SECONDS} s, target {TARGET_SECONDS} s, aim {AIM_SECONDS} s"
        )


def _percentiles(seconds: list[float]) -> str:
    if len(seconds) == 1:
        return f"one round: {seconds[0]:.3f} s"
    cuts = quantiles(seconds, n=100, method="inclusive")
    return (
        f"{len(seconds)} rounds: p50 {cuts[49]:.3f} s, p90 {cuts[89]:.3f} s, "
        f"p99 {cuts[98]:.3f} s, max {max(seconds):.3f} s"
    )
