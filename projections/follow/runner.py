"""The runner: follows the log for as long as it lives, and catches up on demand.

It looks at least every `POLL_SECONDS`; a notification from an append only makes it look sooner,
so that a LISTEN session that dies silently costs at most that long. One runner per projection is
active, the others stand by. An event that cannot be processed stops it, until an operator says
retry or skip.
"""

from typing import Final, NoReturn

import anyio
import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.events import topic_of
from projections.connection import CONNECT_TIMEOUT_SECONDS, configure
from projections.follow.failures import POISON, failure_of, record_failure
from projections.follow.leadership import RUNNER_LOCK, introduce, try_to_hold
from projections.follow.metrics import ACTIVE, BATCH_SECONDS, EVENTS, STOPS
from projections.follow.projection import BATCH_EVENTS, Batch, Projection, project_batch
from projections.log.reading import CHANNEL, head_position

POLL_SECONDS: Final = 1.0
RECONNECT_SECONDS: Final = 1.0
LOG_UP_TO_EVENTS: Final = 20

# The server ends a transaction that took too long by ending its session.
CONNECTION_LOST: Final = (
    psycopg.OperationalError,
    psycopg.errors.TransactionTimeout,
    psycopg.errors.IdleInTransactionSessionTimeout,
)

_log = structlog.get_logger(__name__)


async def follow(url: str, projection: Projection) -> NoReturn:
    """Keep `projection` up to date until cancelled; a lost connection is opened again.

    Stands by while another runner is active. An event that cannot be processed is recorded as
    the projection's failure, and nothing after it is projected until that is cleared.

    Raises:
        psycopg.Error: the database refuses to work with us at all.
    """
    while True:
        try:
            await _follow_on_one_connection(url, projection)
        except CONNECTION_LOST as error:
            _log.warning("connection_lost", projection=projection.name, error=str(error))
            await anyio.sleep(RECONNECT_SECONDS)


async def _follow_on_one_connection(url: str, projection: Projection) -> NoReturn:
    async with await AsyncConnection.connect(
        url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS
    ) as connection:
        await configure(connection)
        await introduce(connection, "projector")
        await _become_active(connection, projection)
        await connection.execute(f"LISTEN {CHANNEL}")
        _log.info("following", projection=projection.name)
        with ACTIVE.labels(projection.name).track_inprogress():
            while True:
                await _follow_to_the_end(connection, projection)
                async for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass


async def _become_active(connection: AsyncConnection[object], projection: Projection) -> None:
    is_told = False
    while not await try_to_hold(connection, RUNNER_LOCK, projection.name):
        if not is_told:
            _log.info("standing_by", projection=projection.name)
            is_told = True
        await anyio.sleep(POLL_SECONDS)


async def _follow_to_the_end(connection: AsyncConnection[object], projection: Projection) -> None:
    if await failure_of(connection, projection.name):
        return
    try:
        while await _project_and_count(connection, projection):
            pass
    except POISON as error:
        STOPS.labels(projection.name).inc()
        await record_failure(connection, projection.name, error)
        _log.exception("projection_stopped", projection=projection.name)


async def _project_and_count(connection: AsyncConnection[object], projection: Projection) -> int:
    with BATCH_SECONDS.labels(projection.name).time():
        batch = await _project(connection, projection)
    EVENTS.labels(projection.name).inc(batch.events)
    if batch.events <= LOG_UP_TO_EVENTS:
        _log_posts(batch)
    return batch.events


def _log_posts(batch: Batch) -> None:
    """Each post that is visible now is found by its ids here, too; not when catching up."""
    for logged in batch.last_part:
        event = logged.event
        _log.info(
            "projected",
            topic=topic_of(event),
            position=logged.position,
            post_id=str(event.post_id),
            correlation_id=str(event.correlation_id),
        )


async def _project(connection: AsyncConnection[object], projection: Projection) -> Batch:
    """One batch; when one of its events is refused, everything before that event."""
    try:
        return await project_batch(connection, projection)
    except (psycopg.DataError, psycopg.IntegrityError):
        for _ in range(BATCH_EVENTS):
            await project_batch(connection, projection, limit=1)
        return await project_batch(connection, projection, limit=1)


async def catch_up(
    pool: AsyncConnectionPool[AsyncConnection[object]],
    projection: Projection,
    *,
    position: int | None,
) -> None:
    """Project until `position` is visible to every read that starts after this returns.

    Without a position, everything is that was in the log when this was called. Whoever must
    answer for its own write calls this, instead of waiting for the runner to come round: they
    share the work through the row lock, and nobody depends on the runner being alive. Only while
    the projection is stopped by an event do reads stay behind.
    """
    async with pool.connection() as connection:
        target = position or await head_position(connection)
        try:
            batch = await _project(connection, projection)
            while batch.events and batch.position < target:
                batch = await _project(connection, projection)
        except POISON as error:
            # The write that is waited for is stored: to answer that it failed would be a lie. The
            # runner has stopped, too, and says so.
            _log.warning("not_caught_up", projection=projection.name, error=str(error))
