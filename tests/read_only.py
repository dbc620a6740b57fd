"""A database that is read-only for a while, as after a failover or with a full disk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict


@asynccontextmanager
async def read_only(server_url: str, database_url: str) -> AsyncIterator[None]:
    """Make the database read-only while the block runs; all its sessions end before and after."""
    name = str(conninfo_to_dict(database_url)["dbname"])
    await _switch(server_url, name, "on")
    try:
        yield
    finally:
        await _switch(server_url, name, "off")


async def _switch(server_url: str, name: str, state: str) -> None:
    statement = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
    async with await AsyncConnection.connect(server_url, autocommit=True) as connection:
        await connection.execute(statement.format(sql.Identifier(name), sql.Literal(state)))
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
