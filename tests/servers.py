"""One embedded PostgreSQL and one embedded SeaweedFS per test session, for any test that asks.

Import the fixtures in `tests/conftest.py`. They are synchronous, so that sync and async tests can
use them: the servers are supervised from a thread of their own.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from api.stack.credentials import load_credentials
from api.stack.folder import locked_folder
from api.stack.ports import choose_ports
from api.stack.postgres import start_postgres
from api.stack.seaweedfs import PARTS, S3Access, start_seaweedfs
from api.stack.supervisor import supervision


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL, as superuser, of the database `postgres` of an empty PostgreSQL.

    Tests create databases of their own there. What it stores does not survive a power cut.
    It is version 18, unless `POSTGRES_PROGRAMS` names the folder of another; `NOVA_TEST_POSTGRES`
    is the URL of one that is already running.
    """
    if running := os.environ.get("NOVA_TEST_POSTGRES"):
        yield running
        return
    with temporary_stack_folder() as folder, start_blocking_portal() as portal:
        server = portal.wrap_async_context_manager(running_postgres(folder, durable=False))
        with server as url:
            yield url.rpartition("/")[0] + "/postgres"


@pytest.fixture(scope="session")
def seaweedfs_server() -> Iterator[S3Access]:
    """The endpoint and the credentials of an empty S3 store; tests create their own buckets."""
    with temporary_stack_folder() as folder, start_blocking_portal() as portal:
        server = portal.wrap_async_context_manager(_seaweedfs(folder))
        with server as access:
            yield access


@asynccontextmanager
async def running_postgres(path: Path, *, durable: bool) -> AsyncIterator[str]:
    """PostgreSQL in a folder of a stack; the URL of its database `nova`, as its owner.

    It waits for its disk only if `durable`.
    """
    with locked_folder(path) as folder:
        async with supervision(report=print) as supervisor:
            access = await start_postgres(
                supervisor,
                folder,
                credentials=load_credentials(folder.credentials),
                port=choose_ports(["postgres"], folder.ports)["postgres"],
                report=print,
                durable=durable,
            )
            yield access.owner_url


@asynccontextmanager
async def _seaweedfs(path: Path) -> AsyncIterator[S3Access]:
    with locked_folder(path) as folder:
        async with supervision(report=print) as supervisor:
            yield await start_seaweedfs(
                supervisor,
                folder,
                credentials=load_credentials(folder.credentials),
                ports=choose_ports(PARTS, folder.ports),
            )


@contextmanager
def temporary_stack_folder() -> Iterator[Path]:
    """A path for a stack's folder, with all of it gone at the end."""
    # Not pytest's own folder: it takes back the right to pass, which PostgreSQL needs under root.
    with tempfile.TemporaryDirectory(prefix="nova-test-") as parent:
        yield Path(parent) / "stack"
