"""The runner: follows the log for one projection until it is cancelled.

It polls every `POLL_SECONDS`. For an urgent projection, notifications from appends make it poll
sooner; a LISTEN session that dies silently costs at most that long. One runner per projection
leads, the others stand by. An event that no runner can project stops the projection until an
operator retries or skips.
"""

from contextlib import nullcontext
from typing import Final, NoReturn

import anyio
import structlog
from psycopg import AsyncConnection

from domain.events import topic_of
from projections.connection import connected, limit_transactions
from projections.follow.backlogs import Backlogs
from projections.follow.batch import BATCH_EVENTS, Batch, project_until_refused
from projections.follow.failures import failure_of, is_poison, record_failure
from projections.follow.leadership import (
    RUNNER_LOCK,
    has_standby,
    name_session,
    resign,
    standing_by,
    try_to_lead,
)
from projections.follow.metrics import ACTIVE, BATCH_SECONDS, EVENTS, STOPS
from projections.follow.projection import Projection
from projections.log.reading import CHANNEL
from projections.restarts import keep_running

# The longest that a lost notification delays a read table.
POLL_SECONDS: Final = 1.0
# A leader that resigns gives a standby time to notice.
RESIGNED_SECONDS: Final = 2 * POLL_SECONDS
# Larger batches are catching up: a line for each of their events would drown the log.
LOG_UP_TO_EVENTS: Final = 20

_log = structlog.get_logger(__name__)


async def follow(url: str, projection: Projection, backlogs: Backlogs | None = None) -> NoReturn:
    """Keep `projection` up to date until cancelled, whatever happens to the database.

    Stands by while another runner leads. All runners of a process share its `backlogs`. An event
    that cannot be projected is recorded as the projection's failure, and a standby tries it once;
    nothing after it is projected until that failure is cleared or a newer process has passed it.
    After any other error it starts again, see `keep_running`.
    """
    runner = _Runner(url, projection, backlogs or Backlogs())
    await keep_running(runner.run, loop="projection", projection=projection.name)


class _Runner:
    """Knows which event stopped it: it tries that one once, and so does each standby.

    During a deployment the standby may be newer, and able to read what an older leader cannot.
    """

    def __init__(self, url: str, projection: Projection, backlogs: Backlogs) -> None:
        self._url = url
        self._projection = projection
        self._name = projection.name
        self._backlogs = backlogs
        self._stopped_at: int | None = None

    async def run(self) -> NoReturn:
        """Follow on one connection whenever it leads, until an error ends it."""
        async with connected(self._url) as connection:
            await limit_transactions(connection)
            await name_session(connection, "projector")
            while True:
                await self._become_leader(connection)
                with ACTIVE.labels(self._name).track_inprogress():
                    await self._lead(connection)
                await anyio.sleep(RESIGNED_SECONDS)

    async def _become_leader(self, connection: AsyncConnection[object]) -> None:
        if await try_to_lead(connection, RUNNER_LOCK, self._name):
            return
        _log.info("standing_by", projection=self._name)
        may_go_on = self._stopped_at is None
        async with standing_by(connection, self._name) if may_go_on else nullcontext():
            while not await try_to_lead(connection, RUNNER_LOCK, self._name):  # noqa: ASYNC110 - another process cannot set our event
                await anyio.sleep(POLL_SECONDS)

    async def _lead(self, connection: AsyncConnection[object]) -> None:
        """Follow until an event stops it and a standby may be able to go on."""
        _log.info("following", projection=self._name)
        if self._projection.is_urgent:
            await connection.execute(f"LISTEN {CHANNEL}")
        while not await self._has_successor(connection):
            async for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                pass
        await connection.execute("UNLISTEN *")
        await resign(connection, RUNNER_LOCK, self._name)
        _log.info("resigned", projection=self._name, stopped_at=self._stopped_at)

    async def _has_successor(self, connection: AsyncConnection[object]) -> bool:
        """Follow to the end of the log; whether an event stops it and a standby may go on."""
        failure = await failure_of(connection, self._name)
        if failure is None or failure.position != self._stopped_at:
            self._stopped_at = await _follow_to_the_end(
                connection, self._projection, self._backlogs
            )
        return self._stopped_at is not None and await has_standby(connection, self._name)


async def _follow_to_the_end(
    connection: AsyncConnection[object], projection: Projection, backlogs: Backlogs
) -> int | None:
    """Follow until there is no more; the position of the event that stops it, if one does."""
    try:
        has_more = True
        while has_more:
            await backlogs.wait_for_urgent(projection)
            events = await _project_and_count(connection, projection)
            backlogs.note(projection, is_behind=events >= BATCH_EVENTS)
            has_more = events > 0 if projection.is_urgent else events >= BATCH_EVENTS
    except Exception as error:
        if not is_poison(error):
            raise
        STOPS.labels(projection.name).inc()
        _log.exception("projection_stopped", projection=projection.name)
        return await record_failure(connection, projection.name, error)
    else:
        return None
    finally:
        backlogs.note(projection, is_behind=False)


async def _project_and_count(connection: AsyncConnection[object], projection: Projection) -> int:
    with BATCH_SECONDS.labels(projection.name).time():
        batch = await project_until_refused(connection, projection)
    EVENTS.labels(projection.name).inc(batch.events)
    if batch.events <= LOG_UP_TO_EVENTS:
        _log_events(projection, batch)
    return batch.events


def _log_events(projection: Projection, batch: Batch) -> None:
    """Log the ids of what has just become visible, to trace a post through the log."""
    for logged in batch.last_part:
        event = logged.event
        _log.info(
            "projected",
            projection=projection.name,
            topic=topic_of(event),
            position=logged.position,
            post_id=str(event.post_id),
            correlation_id=str(event.correlation_id),
        )
