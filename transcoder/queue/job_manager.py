"""Overrides of the queue library's job manager, for lost connections, clocks and stalled lanes.

The end of an attempt is retried until the database has it, and the next attempt is timed by the
database's clock. The library writes the end once, by this machine's clock: a lost reply would leave
the job with a process that no longer runs it, and on a machine whose clock is wrong the next
attempt would start minutes late, or at once.

A lane that was considered stalled while it was paused is stopped: the library would let it go on
updating the heartbeat of a worker that has been removed.
"""

from datetime import datetime
from typing import Final

import psycopg
import stamina
import structlog
from procrastinate import utils
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from procrastinate.manager import JobManager

from domain.event_store.outages import is_temporary

RETRY_WITHIN_SECONDS: Final = 20.0

_RETRY: Final = """
SELECT requeue_job(
    %(job_id)s, %(delay)s::interval, %(new_priority)s, %(new_queue_name)s, %(new_lock)s
)
"""

_UPDATE_HEARTBEAT: Final = """
UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = %(worker_id)s RETURNING id
"""

_log = structlog.get_logger(__name__)


def _is_temporary(error: Exception) -> bool:
    """Whether the database cannot do it now: a retry is safe, also if it did what it was told."""
    return isinstance(error, ConnectorException) and is_temporary(error)


_retry_temporary = stamina.retry(
    on=_is_temporary,
    attempts=None,
    timeout=RETRY_WITHIN_SECONDS,
    wait_initial=0.1,
    wait_max=2.0,
)


class PersistentJobManager(JobManager):
    """Replaces the library's own."""

    @_retry_temporary
    async def finish_job_by_id_async(self, job_id: int, status: Status, delete_job: bool) -> None:  # noqa: FBT001 - the library's signature
        """See `JobManager`; a job that is gone has ended already."""
        try:
            await super().finish_job_by_id_async(job_id, status, delete_job)
        except ConnectorException as error:
            _pass_if_ended(error, job_id)

    @_retry_temporary
    async def retry_job_by_id_async(
        self,
        job_id: int,
        retry_at: datetime,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """See `JobManager`; keeps the delay of `retry_at`, counted by the database's clock."""
        try:
            await self.connector.execute_query_async(
                query=_RETRY,
                job_id=job_id,
                delay=retry_at - utils.utcnow(),
                new_priority=priority,
                new_queue_name=queue,
                new_lock=lock,
            )
        except ConnectorException as error:
            _pass_if_ended(error, job_id)

    async def update_heartbeat(self, worker_id: int) -> None:
        """See `JobManager`.

        Raises:
            ConnectorException: the lane was considered stalled and has to start again.
        """
        known = await self.connector.execute_query_all_async(
            query=_UPDATE_HEARTBEAT, worker_id=worker_id
        )
        if not known:
            raise ConnectorException(f"lane {worker_id} was considered stalled")


def _pass_if_ended(error: ConnectorException, job_id: int) -> None:
    """Ignore that the job is not running: it was taken over, or the reply to its end was lost."""
    if not isinstance(error.__cause__, psycopg.errors.RaiseException):
        raise error
    _log.info("job_had_ended", job_id=job_id)
