"""Connections of the read side: no transaction on them can be held open for long."""

from typing import Final

from psycopg import AsyncConnection

# A follower that stalls in the middle of a batch must not keep the others from following.
TRANSACTION_SECONDS: Final = 5
CONNECT_TIMEOUT_SECONDS: Final = 10

_LIMIT_TRANSACTIONS: Final = """
SELECT set_config(name, %(limit)s, false) FROM pg_settings
WHERE name IN ('transaction_timeout', 'idle_in_transaction_session_timeout', 'lock_timeout')
"""


async def configure(connection: AsyncConnection[object]) -> None:
    """Limit transactions, and answer with times in UTC whatever the server's own zone is."""
    await connection.execute(_LIMIT_TRANSACTIONS, {"limit": f"{TRANSACTION_SECONDS}s"})
    await connection.execute("SET TIME ZONE 'UTC'")
