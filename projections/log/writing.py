"""Whether the log takes events: the database is not read-only, and its disk and standbys answer."""

from typing import Final

from psycopg import AsyncConnection

from projections.connection import fetch_value

# As an append does, the message waits for the disk, and for synchronous standbys if there are any.
_TRY_TO_WRITE: Final = """
SELECT CASE WHEN current_setting('transaction_read_only')::boolean THEN false
       ELSE pg_logical_emit_message(true, 'nova', '') IS NOT NULL END
"""


async def is_writable(connection: AsyncConnection[object]) -> bool:
    """Whether a write succeeds; it may wait for as long as an append would.

    Raises:
        psycopg.Error: the database failed, or cannot write.
    """
    return bool(await fetch_value(connection, _TRY_TO_WRITE))
