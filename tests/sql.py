"""SQL for tests: statements that stand in for what people and crashes do to a database."""

from typing import LiteralString, TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

Connections: TypeAlias = AsyncConnectionPool[AsyncConnection[object]]


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
