"""Leadership: of all runners of a projection, on any machine, one leads and the others stand by.

The leader holds a session advisory lock, which the server frees when the session ends; short
keepalives bound how long a machine that lost its network keeps it.
"""

import socket
from typing import Final

from psycopg import AsyncConnection

from projections.connection import fetch_value

# Arbitrary, but they must differ, and stay the same across versions that run at once.
RUNNER_LOCK: Final = 6_682_002
REBUILD_LOCK: Final = 6_682_003

_TRY: Final = """
SELECT pg_try_advisory_lock(%(kind)s, hashtext(%(projection)s))
"""
_NAME_SESSION: Final = """
SELECT set_config('tcp_keepalives_idle', '1', false),
       set_config('tcp_keepalives_interval', '1', false),
       set_config('tcp_keepalives_count', '2', false),
       set_config('application_name', %(name)s, false)
"""


async def name_session(connection: AsyncConnection[object], duty: str) -> None:
    """Name the session `nova DUTY@HOST`; the server drops it 3 s after its host is lost."""
    await connection.execute(_NAME_SESSION, {"name": f"nova {duty}@{socket.gethostname()}"[:63]})


async def try_to_lead(connection: AsyncConnection[object], kind: int, projection: str) -> bool:
    """Take the lock until the session ends; False if another session holds it."""
    return bool(await fetch_value(connection, _TRY, {"kind": kind, "projection": projection}))
