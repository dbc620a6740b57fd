"""The worker process: opens everything that jobs need, and works until it is told to stop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.jobs import HOUSEKEEPING_QUEUE, TRANSCODE_QUEUE
from domain.publishing import Publishing
from transcoder.pool import RenderPool
from transcoder.prctl import hide_memory
from transcoder.queue import open_queue
from transcoder.s3 import open_s3
from transcoder.settings import WorkerSettings
from transcoder.tasks import STALLED_SECONDS, Parts, add_tasks
from transcoder.transcode import Transcoding

# Pictures download and upload while others are rendered.
JOBS_PER_PROCESS: Final = 2
# Jobs that run when the worker is told to stop get this long to end; then they go back.
DRAIN_SECONDS: Final = 4.0
POLL_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 2.0


async def run_worker(settings: WorkerSettings) -> None:
    """Work until SIGTERM or SIGINT, then finish what runs or hand it back."""
    hide_memory()
    async with _open_parts(settings) as parts:
        queue = open_queue(settings.database_url, pool_size=settings.db_pool_size)
        add_tasks(queue, parts)
        async with queue.open_async():
            await queue.run_worker_async(
                queues=[TRANSCODE_QUEUE, HOUSEKEEPING_QUEUE],
                concurrency=JOBS_PER_PROCESS * settings.worker_concurrency,
                fetch_job_polling_interval=POLL_SECONDS,
                shutdown_graceful_timeout=DRAIN_SECONDS,
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=STALLED_SECONDS,
                delete_jobs="successful",
            )


@asynccontextmanager
async def _open_parts(settings: WorkerSettings) -> AsyncIterator[Parts]:
    """The composition root of the worker process."""
    pool = RenderPool(size=settings.worker_concurrency, limits=settings.limits())
    await pool.warm()
    connections: AsyncConnectionPool[AsyncConnection[object]] = AsyncConnectionPool(
        settings.database_url, min_size=0, max_size=2, kwargs={"autocommit": True}, open=False
    )
    async with connections, open_s3(settings) as store, pool.kept_warm():
        with Publishing(settings.database_url, pool_size=settings.db_pool_size) as publishing:
            yield Parts(
                transcoding=Transcoding(publishing=publishing, store=store, renderer=pool),
                publishing=publishing,
                store=store,
                connections=connections,
            )
