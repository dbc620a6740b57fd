"""The runner: follows the log for one projection until it is cancelled.

It polls every `POLL_SECONDS`. For an urgent projection, notifications from appends make it poll
sooner; a LISTEN session that dies silently costs at most that long. One runner per projection
leads, the others stand by. An event that cannot be projected stops the projection until an operator
retries or skips.
"""

from functools import partial
from typing import Final, NoReturn

import anyio
import structlog
from psycopg import AsyncConnection

from domain.events import topic_of
from projections.connection import connected, limit_transactions
from projections.follow.backlogs import Backlogs
from projections.follow.batch import BATCH_EVENTS, Batch, project_until_refused
from projections.follow.failures import failure_of, is_poison, record_failure
from projections.follow.leadership import RUNNER_LOCK, name_session, try_to_lead
from projections.follow.metrics import ACTIVE, BATCH_SECONDS, EVENTS, STOPS
from projections.follow.projection import Projection
from projections.log.reading import CHANNEL
from projections.restarts import keep_running

# The longest that a lost notification delays a read table.
POLL_SECONDS: Final = 1.0
# Larger batches are catching up: a line for each of their events would drown the log.
LOG_UP_TO_EVENTS: Final = 20

_log = structlog.get_logger(__name__)


async def follow(url: str, projection: Projection, backlogs: Backlogs | None = None) -> NoReturn:
    """Keep `projection` up to date until cancelled, whatever happens to the database.

    Stands by while another runner leads. All runners of a process share its `backlogs`. An event
    that cannot be projected is recorded as the projection's failure; nothing after it is projected
    until that failure is cleared. After any other error it starts again, see `keep_running`.
    """
    run = partial(_follow_on_one_connection, url, projection, backlogs or Backlogs())
    await keep_running(run, loop="projection", projection=projection.name)


async def _follow_on_one_connection(
    url: str, projection: Projection, backlogs: Backlogs
) -> NoReturn:
    async with connected(url) as connection:
        await limit_transactions(connection)
        await name_session(connection, "projector")
        await _become_leader(connection, projection)
        if projection.is_urgent:
            await connection.execute(f"LISTEN {CHANNEL}")
        _log.info("following", projection=projection.name)
        with ACTIVE.labels(projection.name).track_inprogress():
            while True:
                await _follow_to_the_end(connection, projection, backlogs)
                async for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass


async def _become_leader(connection: AsyncConnection[object], projection: Projection) -> None:
    is_logged = False
    while not await try_to_lead(connection, RUNNER_LOCK, projection.name):
        if not is_logged:
            _log.info("standing_by", projection=projection.name)
            is_logged = True
        await anyio.sleep(POLL_SECONDS)


async def _follow_to_the_end(
    connection: AsyncConnection[object], projection: Projection, backlogs: Backlogs
) -> None:
    if await failure_of(connection, projection.name):
        return
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
        await record_failure(connection, projection.name, error)
        _log.exception("projection_stopped", projection=projection.name)
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
