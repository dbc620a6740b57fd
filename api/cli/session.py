"""Sessions on the database, and those whose queries are recorded in the audit trail."""

import getpass
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from typing import Any, TypeVar
from uuid import uuid4

import anyio
import psycopg
from msgspec import Struct
from psycopg import AsyncConnection

from api.cli.output import errors
from projections.audit.accesses import Access, record_access
from projections.connection import connected
from projections.log.reading import head_position
from projections.settings import database_settings

_T = TypeVar("_T")


class AuditSession(Struct, frozen=True):
    """A connection without time limits, for queries over the whole log; `primary` takes writes."""

    connection: AsyncConnection[object]
    primary: AsyncConnection[object]

    def connect(self) -> AbstractAsyncContextManager[AsyncConnection[object]]:
        """The one connection, for queries that open one per statement."""
        return nullcontext(self.connection)

    async def record(self, question: str, **filters: Any) -> None:  # noqa: ANN401 - JSON of any shape
        """Record a query before it runs; a user with access to the database is an operator."""
        access = Access(
            actor=cli_actor(),
            role="operator",
            question=question,
            filters={name: value for name, value in filters.items() if value is not None},
            correlation_id=uuid4(),
        )
        await record_access(self.primary, access)


def cli_actor() -> str:
    """The actor of this command: `cli:user@host`."""
    return f"cli:{getpass.getuser()}@{socket.gethostname()}"


def run_audited(query: Callable[[AuditSession], Awaitable[_T]]) -> _T:
    """Run a query in an audit session on the database of the settings; it reads from its standby.

    Raises:
        WrongSettings: the environment names no database.
        psycopg.OperationalError: the database is unavailable.
    """

    async def run(primary: AsyncConnection[object]) -> _T:
        async with _reading(primary) as connection:
            return await query(AuditSession(connection, primary))

    return run_on_database(run)


def run_on_standby(query: Callable[[AsyncConnection[object]], Awaitable[_T]]) -> _T:
    """Run a query that only reads, on the standby of the settings or else on the primary.

    Raises:
        WrongSettings: the environment names no database.
        psycopg.OperationalError: the primary is unavailable.
    """

    async def run(primary: AsyncConnection[object]) -> _T:
        async with _reading(primary) as connection:
            return await query(connection)

    return run_on_database(run)


@asynccontextmanager
async def _reading(primary: AsyncConnection[object]) -> AsyncGenerator[AsyncConnection[object]]:
    """The connection to read from: the primary's if the standby does not answer."""
    url = database_settings().read_url
    async with AsyncExitStack() as stack:
        yield primary if url is None else await _standby(url, primary, stack)


async def _standby(
    url: str, primary: AsyncConnection[object], stack: AsyncExitStack
) -> AsyncConnection[object]:
    try:
        standby = await stack.enter_async_context(connected(url))
        position = await head_position(standby)
    except psycopg.OperationalError:
        errors.print("nova: the standby does not answer: reading from the primary.")
        return primary
    head = await head_position(primary)
    if position < head:
        # Or an event of the last seconds would seem to be missing.
        errors.print(f"nova: reading from a standby, up to position {position} of {head}.")
    return standby


def run_on_database(query: Callable[[AsyncConnection[object]], Awaitable[_T]]) -> _T:
    """Run a query on a connection to the database of the settings.

    Raises:
        WrongSettings: the environment names no database.
        psycopg.OperationalError: the database is unavailable.
    """

    async def run(url: str) -> _T:
        async with connected(url) as connection:
            return await query(connection)

    return anyio.run(run, database_settings().session_url)
