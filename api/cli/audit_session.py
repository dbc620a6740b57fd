"""The audit desk: where somebody on the command line asks, and is recorded as having asked."""

import getpass
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any
from uuid import uuid4

from msgspec import Struct
from psycopg import AsyncConnection

from projections.audit.accesses import Access, record_access
from projections.connection import CONNECT_TIMEOUT_SECONDS


def cli_actor() -> str:
    """How somebody on the command line is named."""
    return f"cli:{getpass.getuser()}@{socket.gethostname()}"


class AuditDesk(Struct, frozen=True):
    """A connection without time limits, for questions about the whole log."""

    connection: AsyncConnection[object]

    def connect(self) -> AbstractAsyncContextManager[AsyncConnection[object]]:
        """The one connection, for those that take one for each of their statements."""
        return nullcontext(self.connection)

    async def record(self, question: str, **filters: Any) -> None:  # noqa: ANN401 - JSON of any shape
        """Record what is asked, before it is answered; who may use the database is an operator."""
        access = Access(
            actor=cli_actor(),
            role="operator",
            question=question,
            filters={name: value for name, value in filters.items() if value is not None},
            correlation_id=uuid4(),
        )
        await record_access(self.connection, access)


@asynccontextmanager
async def open_audit_desk(url: str) -> AsyncIterator[AuditDesk]:
    """Open the database.

    Raises:
        psycopg.OperationalError: it does not answer.
    """
    connection = await AsyncConnection.connect(
        url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS
    )
    async with connection:
        await connection.execute("SET TIME ZONE 'UTC'")
        yield AuditDesk(connection)
