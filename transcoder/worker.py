"""The worker process: opens what jobs need, and works until it receives a signal to stop."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import anyio
import structlog
from msgspec import Struct
from procrastinate import App
from procrastinate.worker import Worker
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.event_store.outages import FIRST_PAUSE_SECONDS, Pauses, outage_of
from domain.event_store.publishing import Publishing
from domain.jobs import BULK_QUEUE, DUTIES_QUEUE, HOUSEKEEPING_QUEUE, TRANSCODE_QUEUE
from transcoder.jobs.metrics import count_job
from transcoder.object_store.s3 import open_s3
from transcoder.processes.pool import BulkRenderer, RenderPool
from transcoder.queue.app import connection_stats, open_queue
from transcoder.queue.connection_metrics import ConnectionPoolCollector, Stats, register_collectors
from transcoder.queue.lanes import STALLED_AFTER_SECONDS
from transcoder.settings import WorkerSettings
from transcoder.tasks import Parts, add_tasks, assemble

# Some jobs download and upload while others are rendered.
JOBS_PER_PROCESS: Final = 2
BULK_PROCESSES: Final = 1
# Running jobs get this long to end after the signal to stop; then they are handed back.
DRAIN_SECONDS: Final = 4.0
POLL_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 2.0

_log = structlog.get_logger(__name__)


class Lane(Struct, frozen=True):
    """A queue, and how many of its jobs run at once: lanes are independent of each other."""

    queue_name: str
    concurrency: int


class RunningLanes:
    """The lanes of this process that take jobs; may be read from any thread."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def add(self, queue_name: str) -> None:
        """The lane begins to take jobs."""
        self._names.add(queue_name)

    def remove(self, queue_name: str) -> None:
        """The lane drains, or has ended."""
        self._names.discard(queue_name)

    def why_none(self) -> str | None:
        """Why the process does no work; None if a lane runs."""
        return None if self._names else "no lane runs"


async def run_worker(settings: WorkerSettings, running: RunningLanes) -> None:
    """Work until SIGTERM or SIGINT, then drain; `running` shows the lanes meanwhile.

    Raises:
        psycopg.OperationalError: the database does not answer at the start; later it may go away.
    """
    # Fails at once on a wrong address; pools would retry for half a minute.
    async with await AsyncConnection.connect(settings.database.url):
        pass
    lanes = [
        Lane(TRANSCODE_QUEUE, JOBS_PER_PROCESS * settings.concurrency),
        Lane(BULK_QUEUE, JOBS_PER_PROCESS * BULK_PROCESSES),
        Lane(HOUSEKEEPING_QUEUE, 2),
        Lane(DUTIES_QUEUE, 2),
    ]
    async with _open_parts(settings) as parts:
        queue = open_queue(
            settings.database.session_url, pool_size=settings.database.pool_size + len(lanes)
        )
        add_tasks(queue, parts)
        pools: dict[str, Stats] = {
            "jobs": partial(connection_stats, queue),
            "duties": parts.connections.get_stats,
            "writes": parts.publishing.connection_stats,
        }
        async with queue.open_async():
            with register_collectors(ConnectionPoolCollector(pools)):
                await work(queue, lanes, running)


async def work(queue: App, lanes: list[Lane], running: RunningLanes) -> None:
    """Work in all lanes until SIGTERM or SIGINT; running jobs then get `DRAIN_SECONDS`."""
    working = [_LaneAtWork(queue, lane, running) for lane in lanes]
    loop = asyncio.get_running_loop()

    def drain(received: signal.Signals) -> None:
        # A second signal stops the process at once.
        loop.remove_signal_handler(received)
        for lane in working:
            lane.drain()

    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, drain, signal_number)
    async with anyio.create_task_group() as tasks:
        for lane in working:
            tasks.start_soon(lane.keep_working)


class _LaneAtWork:
    """Drains instead of being cancelled: library code inside may swallow a cancellation."""

    def __init__(self, queue: App, lane: Lane, running: RunningLanes) -> None:
        self._queue = queue
        self._lane = lane
        self._running = running
        self._worker: Worker | None = None
        self._is_draining = anyio.Event()

    def drain(self) -> None:
        """Start no more jobs; running ones get `DRAIN_SECONDS`."""
        self._is_draining.set()
        self._running.remove(self._lane.queue_name)
        if self._worker is not None:
            self._worker.stop()  # type: ignore[no-untyped-call]

    async def keep_working(self) -> None:
        """Restart the lane whenever the queue ends it, with the pauses of `Pauses`.

        Its jobs have been handed back, or are taken over as stalled.
        """
        pauses = Pauses()
        while not self._is_draining.is_set():
            self._worker = self._new_worker()
            started = anyio.current_time()
            pause_seconds = FIRST_PAUSE_SECONDS
            self._running.add(self._lane.queue_name)
            try:
                await self._worker.run()  # type: ignore[no-untyped-call]
            except Exception as error:  # noqa: BLE001 - whatever ends a lane, its worker goes on
                ran_seconds = anyio.current_time() - started
                pause_seconds = pauses.after(error, ran_seconds=ran_seconds)
                self._log_error(error, pause_seconds=pause_seconds)
            finally:
                self._running.remove(self._lane.queue_name)
            with anyio.move_on_after(pause_seconds):
                await self._is_draining.wait()
                return
            _log.info("lane_restarted", lane=self._lane.queue_name)

    def _log_error(self, error: Exception, *, pause_seconds: float) -> None:
        outage = outage_of(error)
        _log.warning(
            "lane_ended",
            lane=self._lane.queue_name,
            error=str(error.__cause__ or error),
            advice=outage.advice,
            pause_seconds=pause_seconds,
            # Of a condition that passes, the traceback says nothing.
            exc_info=None if outage.is_temporary else error,
        )

    def _new_worker(self) -> Worker:
        return Worker(
            self._queue,
            name=self._lane.queue_name,
            queues=[self._lane.queue_name],
            concurrency=self._lane.concurrency,
            fetch_job_polling_interval=POLL_SECONDS,
            shutdown_graceful_timeout=DRAIN_SECONDS,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=STALLED_AFTER_SECONDS,
            delete_jobs="successful",
            install_signal_handlers=False,
            worker_middleware=[count_job],
        )


@asynccontextmanager
async def _open_parts(settings: WorkerSettings) -> AsyncIterator[Parts]:
    """The composition root of the worker process."""
    pool = RenderPool(
        size=settings.concurrency, limits=settings.limits(), bulk_processes=BULK_PROCESSES
    )
    await pool.warm()
    connections: AsyncConnectionPool[AsyncConnection[object]] = AsyncConnectionPool(
        settings.database.session_url,
        min_size=0,
        max_size=2,
        kwargs={"autocommit": True},
        check=AsyncConnectionPool[AsyncConnection[object]].check_connection,
        open=False,
    )
    async with connections, open_s3(settings.object_store) as store, pool.kept_warm():
        with Publishing(
            settings.database.url,
            pool_size=settings.database.pool_size,
            is_pooled=settings.database.is_pooled,
        ) as publishing:
            yield assemble(
                publishing=publishing,
                store=store,
                connections=connections,
                renderer=pool,
                bulk_renderer=BulkRenderer(pool),
            )
