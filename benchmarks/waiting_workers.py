"""Workers that only wait: the real queue, tasks and event store, around a picture that takes time.

Run as `python -m benchmarks.waiting_workers NUMBER SECONDS`, with `DATABASE_URL` set: so many
processes, each of which works on one post at a time for so long, until they are ended.
"""

import logging
import os
import signal
import sys

import anyio
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from api.logs import configure_logs
from domain.event_store.publishing import Publishing
from domain.formats import ContentType
from domain.jobs import TRANSCODE_QUEUE
from tests.fake_object_store import FakeObjectStore
from tests.transcoder.rendered import FakeRenderer
from transcoder.object_store.protocol import Announced
from transcoder.queue.app import open_queue
from transcoder.rendering import Rendering
from transcoder.tasks import add_tasks, assemble
from transcoder.worker import Lane, RunningLanes
from transcoder.worker import work as in_lanes


class NoObjectStore(FakeObjectStore):
    """Has whatever is asked for."""

    async def download(self, announced: Announced) -> bytes:
        """No bytes at all."""
        return announced.key.encode()


class WaitingRenderer(FakeRenderer):
    """Takes its time and no core."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        """The same small variants, later."""
        await anyio.sleep(self._seconds)
        return await super().render(content, content_type=content_type)


async def work(url: str, seconds: float) -> None:
    """One worker, one job at a time."""
    connections: AsyncConnectionPool[AsyncConnection[object]] = AsyncConnectionPool(
        url, min_size=0, max_size=1, kwargs={"autocommit": True}, open=False
    )
    queue = open_queue(url, pool_size=2)
    async with connections, queue.open_async():
        with Publishing(url, pool_size=1) as publishing:
            renderer = WaitingRenderer(seconds)
            parts = assemble(
                publishing=publishing,
                store=NoObjectStore(),
                connections=connections,
                renderer=renderer,
                bulk_renderer=renderer,
            )
            add_tasks(queue, parts)
            await in_lanes(queue, [Lane(TRANSCODE_QUEUE, 1)], RunningLanes())


def main() -> None:
    """Be so many workers."""
    configure_logs(level=logging.WARNING)
    url, number, seconds = os.environ["DATABASE_URL"], int(sys.argv[1]), float(sys.argv[2])
    workers = []
    for _ in range(number):
        process = os.fork()
        if process == 0:
            anyio.run(work, url, seconds, backend_options={"use_uvloop": True})
            os._exit(0)
        workers.append(process)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.pause()
    for process in workers:
        os.kill(process, signal.SIGTERM)
    for process in workers:
        os.waitpid(process, 0)


if __name__ == "__main__":
    main()
