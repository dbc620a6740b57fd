"""The job manager: what the queue's library says to the database, where it says too little.

Ends of jobs are noted by the database's clock, and said again while it does not answer. The library
would note the end of an attempt once, and by this machine's clock: a lost answer would leave the
job to a process that has long forgotten it, and machines whose clocks differ would try again
minutes too late, or at once.

A lane that was paused, and taken for dead meanwhile, is told so: the library would let it go on
giving signs of a life that nobody counts.
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

SAY_AGAIN_WITHIN_SECONDS: Final = 20.0

_RETRY: Final = """
SELECT requeue_job(
    %(job_id)s, %(pause)s::interval, %(new_priority)s, %(new_queue_name)s, %(new_lock)s
)
"""

_GIVE_SIGN_OF_LIFE: Final = """
UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = %(worker_id)s RETURNING id
"""

_log = structlog.get_logger(__name__)


def _is_lost(error: Exception) -> bool:
    """Whether there was no answer: saying it again is safe."""
    is_of_ours = isinstance(error, ConnectorException)
    return is_of_ours and isinstance(error.__cause__, psycopg.OperationalError)


_say_again = stamina.retry(
    on=_is_lost, attempts=None, timeout=SAY_AGAIN_WITHIN_SECONDS, wait_initial=0.1, wait_max=2.0
)


class PersistentJobManager(JobManager):
    """Takes the place of the library's own."""

    @_say_again
    async def finish_job_by_id_async(self, job_id: int, status: Status, delete_job: bool) -> None:  # noqa: FBT001 - the library's signature
        """See `JobManager`; a job that is not there has ended already."""
        try:
            await super().finish_job_by_id_async(job_id, status, delete_job)
        except ConnectorException as error:
            _pass_if_ended(error, job_id)

    @_say_again
    async def retry_job_by_id_async(
        self,
        job_id: int,
        retry_at: datetime,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """See `JobManager`; as long from the database's now as `retry_at` is from ours."""
        try:
            await self.connector.execute_query_async(
                query=_RETRY,
                job_id=job_id,
                pause=retry_at - utils.utcnow(),
                new_priority=priority,
                new_queue_name=queue,
                new_lock=lock,
            )
        except ConnectorException as error:
            _pass_if_ended(error, job_id)

    async def update_heartbeat(self, worker_id: int) -> None:
        """See `JobManager`.

        Raises:
            ConnectorException: the lane was taken for dead; it has to begin again.
        """
        known = await self.connector.execute_query_all_async(
            query=_GIVE_SIGN_OF_LIFE, worker_id=worker_id
        )
        if not known:
            raise ConnectorException(f"lane {worker_id} was taken for dead")


def _pass_if_ended(error: ConnectorException, job_id: int) -> None:
    """A job that was taken over, or whose end was noted and the answer lost, is nobody's loss."""
    if not isinstance(error.__cause__, psycopg.errors.RaiseException):
        raise error
    _log.info("job_had_ended", job_id=job_id)
