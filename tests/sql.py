"""SQL for tests: statements that stand in for what people and crashes do to a database."""

from collections.abc import Iterable
from typing import Any, Final, LiteralString, TypeAlias

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

Connections: TypeAlias = AsyncConnectionPool[AsyncConnection[object]]
# As `server_version` of a connection says it.
TRANSACTION_TIMEOUT_SINCE: Final = 17_00_00


def known_limits(
    connection: Connection[Any] | AsyncConnection[Any], limits: Iterable[str]
) -> list[str]:
    """The limits that the server has: all of them, but `transaction_timeout` from 17 on only."""
    lacks_one = connection.info.server_version < TRANSACTION_TIMEOUT_SINCE
    return [name for name in limits if not (lacks_one and name == "transaction_timeout")]


async def run(connections: Connections, *statements: LiteralString) -> None:
    """Execute statements, each in a transaction of its own."""
    async with connections.connection() as connection:
        for statement in statements:
            await connection.execute(statement)


def append_poison(url: str) -> None:
    """Append an event that no projection can read."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO post_events (originator_id, originator_version, topic, state) "
            "VALUES (gen_random_uuid(), 1, 'post.created', '{}')"
        )
