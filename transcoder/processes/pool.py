"""The pool: image processes, isolated so that a picture can break only its own process.

Bulk pictures have a process to themselves and start only when no live picture is waiting, so they
never take a slot from one.

Processes are warmed before they get a picture, so that starting them does not count against a
deadline. One that dies or hangs is replaced at once and fails its own picture only.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
import structlog
from anyio import CapacityLimiter

from domain.formats import ContentType
from transcoder.errors import NoSlotFree, RendererCrashed, RenderTimedOut, first_failure
from transcoder.processes.image_process import ImageProcess
from transcoder.rendering import Limits, Rendering

# A second of CPU, on a machine however busy.
START_WITHIN_SECONDS: Final = 120.0
# An idle process that died is replaced within this time.
WARM_AGAIN_SECONDS: Final = 120.0
LOOK_AGAIN_SECONDS: Final = 0.05
# A job that waits longer blocks other jobs of its post, and would be considered stalled.
BULK_WAITS_SECONDS: Final = 60.0

_log = structlog.get_logger(__name__)


class RenderPool:
    """Renders up to `size` live pictures at once, each in its own process.

    `bulk_processes` more are for bulk pictures, so that live ones always find a warm process.
    """

    def __init__(self, *, size: int, limits: Limits, bulk_processes: int = 0) -> None:
        self._size = size + bulk_processes
        self._limits = limits
        self._slots = CapacityLimiter(size)
        self._idle: list[ImageProcess] = []
        # Those that start or render. Slots are held while a process is replaced, so this limiter
        # rarely makes a call wait.
        self._processes = CapacityLimiter(self._size)
        self._bulk = CapacityLimiter(bulk_processes)
        self._has_reported = False

    async def warm(self) -> None:
        """Start all missing processes in parallel.

        Raises:
            TimeoutError, RendererCrashed: they cannot be started on this machine.
        """
        try:
            async with anyio.create_task_group() as tasks:
                for _ in range(self._size - len(self._idle)):
                    tasks.start_soon(self._start_one)
        except ExceptionGroup as group:
            raise first_failure(group) from group

    @asynccontextmanager
    async def kept_warm(self) -> AsyncIterator[None]:
        """Replace idle processes that died."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._refill_periodically)
                yield
                tasks.cancel_scope.cancel()
        except ExceptionGroup as group:
            raise first_failure(group) from group

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        """Make all variants of one original; wait for a free process first.

        Raises:
            PermanentFailure: the original cannot be rendered, or is not accepted.
            RendererCrashed, RenderTimedOut, OutOfMemory: the image process failed.
        """
        async with self._slots:
            return await self._render_or_refill(content, content_type)

    async def render_in_bulk(self, content: bytes, *, content_type: ContentType) -> Rendering:
        """Render when no live picture is waiting; see `render`.

        Raises:
            NoSlotFree: live pictures took all slots for `BULK_WAITS_SECONDS`.
        """
        await self._wait_for_idle_slots()
        async with self._bulk:
            return await self._render_or_refill(content, content_type)

    async def _render_or_refill(self, content: bytes, content_type: ContentType) -> Rendering:
        try:
            return await self._render_once(content, content_type)
        except (RenderTimedOut, RendererCrashed):
            await self._refill()
            raise

    async def _render_once(self, content: bytes, content_type: ContentType) -> Rendering:
        limits = self._limits
        async with self._processes:
            process = await self._idle_or_new()
            try:
                with anyio.fail_after(limits.killed_after_seconds):
                    return await process.render(content, content_type)
            except TimeoutError as error:
                raise RenderTimedOut(seconds=limits.deadline_seconds) from error
            finally:
                if process.is_alive:
                    self._idle.append(process)

    async def _idle_or_new(self) -> ImageProcess:
        """The process that rendered last, or a new one."""
        self._forget_dead()
        return self._idle.pop() if self._idle else await self._start()

    async def _wait_for_idle_slots(self) -> None:
        with anyio.move_on_after(BULK_WAITS_SECONDS):
            # CapacityLimiter cannot be awaited for capacity, so poll.
            while not (self._slots.available_tokens and self._bulk.available_tokens):  # noqa: ASYNC110
                await anyio.sleep(LOOK_AGAIN_SECONDS)
            return
        raise NoSlotFree

    async def _refill_periodically(self) -> None:
        while True:
            await anyio.sleep(WARM_AGAIN_SECONDS)
            async with self._slots:
                await self._refill()

    async def _refill(self) -> None:
        """Start processes until every idle slot has a warm one; the caller holds one slot."""
        self._forget_dead()
        busy = self._slots.borrowed_tokens + self._bulk.borrowed_tokens - 1
        async with anyio.create_task_group() as tasks:
            for _ in range(self._size - busy - len(self._idle)):
                tasks.start_soon(self._try_to_start_one)

    def _forget_dead(self) -> None:
        self._idle = [process for process in self._idle if process.is_alive]

    async def _try_to_start_one(self) -> None:
        try:
            await self._start_one()
        except (RendererCrashed, TimeoutError) as error:
            # The next picture starts its own process, or raises the same error.
            _log.warning("image_process_not_started", error=str(error))

    async def _start_one(self) -> None:
        async with self._processes:
            # A picture may have started one meanwhile.
            if len(self._idle) + self._processes.borrowed_tokens <= self._size:
                self._idle.append(await self._start())

    async def _start(self) -> ImageProcess:
        with anyio.fail_after(START_WITHIN_SECONDS):
            process = await ImageProcess.start(self._limits)
        if process.missing and not self._has_reported:
            self._has_reported = True
            _log.warning("image_process_defences_missing", missing=process.missing)
        return process


class BulkRenderer:
    """The pool as a renderer of bulk pictures."""

    def __init__(self, pool: RenderPool) -> None:
        self._pool = pool

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        """See `RenderPool.render_in_bulk`."""
        return await self._pool.render_in_bulk(content, content_type=content_type)
