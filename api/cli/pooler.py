"""Detects a pooler in transaction mode, behind which a connection keeps no state of its session.

Locks of sessions, LISTEN and settings would stay with a server connection that other clients get.
"""

from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.rows import scalar_row

from domain.settings import WrongSettings

# A pooler may deal out its connections in turn: with more rounds, one turns up again.
ROUNDS: Final = 5

_SENTENCE: Final = (
    "the database is behind a pooler in transaction mode: set DATABASE_DIRECT_URL, and "
    "DATABASE_OWNER_URL if you use it, to the address of the server itself"
)


def require_sessions(url: str) -> None:
    """Check that a connection keeps its session, as LISTEN and locks of sessions need.

    A database that cannot be reached passes: what connects next deals with that.

    Raises:
        WrongSettings: the server behind it changes from transaction to transaction.
    """
    with suppress(psycopg.OperationalError), _connect(url) as first:
        # Poolers give each client a process id of their own.
        if first.info.backend_pid != _server_process(first) and _is_shared(url, first):
            raise WrongSettings([_SENTENCE])


def _is_shared(url: str, first: Connection[Any]) -> bool:
    with _connect(url) as second:
        known = _server_process(first)
        for _ in range(ROUNDS):
            with second.transaction():
                # With one connection to share, asking the first one again would wait for ever.
                if _server_process(second) == known or _server_process(first) != known:
                    return True
    return False


def _connect(url: str) -> Connection[Any]:
    return psycopg.connect(url, autocommit=True, prepare_threshold=None, row_factory=scalar_row)


def _server_process(connection: Connection[Any]) -> object:
    return connection.execute("SELECT pg_backend_pid()").fetchone()
