"""Catching up on demand: a writer's own events become visible before it answers."""

from typing import Final

import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from projections.follow.batch import project_until_refused
from projections.follow.failures import is_poison
from projections.follow.projection import Projection
from projections.log.reading import head_position

_log: Final = structlog.get_logger(__name__)


async def catch_up(
    pool: AsyncConnectionPool[AsyncConnection[object]],
    projection: Projection,
    *,
    position: int | None,
) -> None:
    """Project until `position` is visible to every read that starts after this returns.

    Without a position, up to the end of the log as it is at the call. A writer calls this instead
    of waiting for the runner: the two share the work through the row lock, and reads do not depend
    on a running projector. Only a projection that an event has stopped stays behind.
    """
    async with pool.connection() as connection:
        target = position or await head_position(connection)
        try:
            batch = await project_until_refused(connection, projection)
            while batch.events and batch.position < target:
                batch = await project_until_refused(connection, projection)
        except Exception as error:
            if not is_poison(error):
                raise
            # The write is stored, so failing it would be wrong; the runner stops on this event,
            # too, and records it.
            _log.warning("not_caught_up", projection=projection.name, error=str(error))
