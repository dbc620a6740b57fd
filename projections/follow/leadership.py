"""Standing: of all runners of a projection, on any machine, one is active and the others stand by.

The active one holds a session advisory lock, which the server frees when its session ends; the
session's keepalives bound how long a machine that vanished without a word holds it.
"""

import socket
from typing import Final

from psycopg import AsyncConnection
from psycopg.rows import scalar_row

# Any constants will do, as long as they stay the same and differ.
RUNNER_LOCK: Final = 6_682_002
REBUILD_LOCK: Final = 6_682_003

_TRY: Final = """
SELECT pg_try_advisory_lock(%(kind)s, hashtext(%(projection)s))
"""
_BE_MISSED_SOON: Final = """
SELECT set_config('tcp_keepalives_idle', '1', false),
       set_config('tcp_keepalives_interval', '1', false),
       set_config('tcp_keepalives_count', '2', false),
       set_config('application_name', %(name)s, false)
"""


async def introduce(connection: AsyncConnection[object], duty: str) -> None:
    """Say on the server who this is (`nova DUTY@HOST`), and be missed within 3 s when lost."""
    await connection.execute(_BE_MISSED_SOON, {"name": f"nova {duty}@{socket.gethostname()}"[:63]})


async def try_to_hold(connection: AsyncConnection[object], kind: int, projection: str) -> bool:
    """Take this duty for the session's life, or say that somebody else has it."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(_TRY, {"kind": kind, "projection": projection})
        return bool(await cursor.fetchone())
