"""Leadership: of all runners of a projection, on any machine, one leads and the others stand by.

The leader holds a session advisory lock, which the server frees when the session ends; short
keepalives bound how long a machine that lost its network keeps it.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from psycopg import AsyncConnection

from projections.connection import fetch_value

# Arbitrary, but they must differ, and stay the same across versions that run at once.
RUNNER_LOCK: Final = 6_682_002
REBUILD_LOCK: Final = 6_682_003
# Held together by all runners that stand by.
STANDBY_LOCK: Final = 6_682_004

_TRY: Final = """
SELECT pg_try_advisory_lock(%(kind)s, hashtext(%(projection)s))
"""
_RESIGN: Final = """
SELECT pg_advisory_unlock(%(kind)s, hashtext(%(projection)s))
"""
_STAND_BY: Final = """
SELECT pg_advisory_lock_shared(%(kind)s, hashtext(%(projection)s))
"""
_STAND_BY_NO_MORE: Final = """
SELECT pg_advisory_unlock_shared(%(kind)s, hashtext(%(projection)s))
"""
_HAS_STANDBY: Final = """
SELECT NOT pg_try_advisory_xact_lock(%(kind)s, hashtext(%(projection)s))
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


async def resign(connection: AsyncConnection[object], kind: int, projection: str) -> None:
    """Give the lock to the next session that tries to take it."""
    await connection.execute(_RESIGN, {"kind": kind, "projection": projection})


@asynccontextmanager
async def standing_by(connection: AsyncConnection[object], projection: str) -> AsyncIterator[None]:
    """Let the leader know, while the block runs, that a standby would take over."""
    standby = {"kind": STANDBY_LOCK, "projection": projection}
    await connection.execute(_STAND_BY, standby)
    yield
    await connection.execute(_STAND_BY_NO_MORE, standby)


async def has_standby(connection: AsyncConnection[object], projection: str) -> bool:
    """Whether another runner stands by."""
    standby = {"kind": STANDBY_LOCK, "projection": projection}
    return bool(await fetch_value(connection, _HAS_STANDBY, standby))
