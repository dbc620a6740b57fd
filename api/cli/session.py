"""Sessions on the database, and those whose queries are recorded in the audit trail."""

import getpass
import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar
from uuid import uuid4

import anyio
from msgspec import Struct
from psycopg import AsyncConnection

from projections.audit.accesses import Access, record_access
from projections.connection import connected
from projections.settings import database_settings

_T = TypeVar("_T")


class AuditSession(Struct, frozen=True):
    """A connection without time limits, for queries over the whole log."""

    connection: AsyncConnection[object]

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
        await record_access(self.connection, access)


def cli_actor() -> str:
    """The actor of this command: `cli:user@host`."""
    return f"cli:{getpass.getuser()}@{socket.gethostname()}"


def run_audited(query: Callable[[AuditSession], Awaitable[_T]]) -> _T:
    """Run a query in an audit session on the database of the settings.

    Raises:
        WrongSettings: the environment names no database.
        psycopg.OperationalError: the database is unavailable.
    """
    return run_on_database(lambda connection: query(AuditSession(connection)))


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
