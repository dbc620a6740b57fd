"""The pool: image processes that outlive anything a picture can do to one of them.

Bulk work has a process of its own and uses only what nobody else needs: its pictures begin when
no picture that people wait for does, and never take a slot from one.

A process is warm before it is given a picture, so that its start is not part of a deadline; one
that died or hung is replaced at once, and only its own picture is the worse for it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
import structlog
from anyio import BrokenWorkerProcess, CapacityLimiter, to_process

from domain.formats import ContentType
from transcoder.errors import NoSlotFree, RendererCrashed, RenderTimedOut, first_failure
from transcoder.processes import renderer
from transcoder.rendering import Limits, Rendering

START_WITHIN_SECONDS: Final = 30.0
# anyio ends processes that were idle for five minutes.
WARM_AGAIN_SECONDS: Final = 120.0
LOOK_AGAIN_SECONDS: Final = 0.05
# A job that waits for longer keeps its post from other jobs, and looks as if it were lost.
BULK_WAITS_SECONDS: Final = 60.0

_log = structlog.get_logger(__name__)


class RenderPool:
    """Up to `size` pictures at a time, each in a process of its own.

    Beside them `bulk_processes` for bulk work, so that a picture that people wait for finds a warm
    process, whatever bulk work does.
    """

    def __init__(self, *, size: int, limits: Limits, bulk_processes: int = 0) -> None:
        self._size = size + bulk_processes
        self._limits = limits
        self._slots = CapacityLimiter(size)
        # Our own slots are held while a process is replaced; anyio's limiter rarely waits.
        self._processes = CapacityLimiter(self._size)
        self._bulk = CapacityLimiter(bulk_processes)

    async def warm(self) -> None:
        """Start all processes that are not there, side by side.

        Raises:
            TimeoutError, BrokenWorkerProcess: they cannot be started on this machine.
        """
        async with anyio.create_task_group() as tasks:
            for _ in range(self._size):
                tasks.start_soon(self._prepare_one)

    @asynccontextmanager
    async def kept_warm(self) -> AsyncIterator[None]:
        """Keep processes from being ended for idleness, and replace any that died meanwhile."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._warm_now_and_then)
                yield
                tasks.cancel_scope.cancel()
        except ExceptionGroup as group:
            raise first_failure(group) from group

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        """All variants of one original; waits for a free process first.

        Raises:
            PermanentFailure: the original is not one that we can or will render.
            RendererCrashed, RenderTimedOut, OutOfMemory: it broke its process.
        """
        async with self._slots:
            return await self._render_or_refill(content, content_type)

    async def render_in_bulk(self, content: bytes, *, content_type: ContentType) -> Rendering:
        """The same for one that nobody waits for; see `render`.

        Raises:
            NoSlotFree: all the time, people wait for others.
        """
        await self._until_nobody_waits()
        async with self._bulk:
            return await self._render_or_refill(content, content_type)

    async def _render_or_refill(self, content: bytes, content_type: ContentType) -> Rendering:
        try:
            return await self._render(content, content_type)
        except (RenderTimedOut, RendererCrashed):
            await self._refill()
            raise

    async def _render(self, content: bytes, content_type: ContentType) -> Rendering:
        limits = self._limits
        try:
            with anyio.fail_after(limits.killed_after_seconds):
                return await to_process.run_sync(
                    renderer.render,
                    content,
                    content_type,
                    limits,
                    cancellable=True,
                    limiter=self._processes,
                )
        except TimeoutError as error:
            raise RenderTimedOut(seconds=limits.deadline_seconds) from error
        except BrokenWorkerProcess as error:
            raise RendererCrashed from error

    async def _until_nobody_waits(self) -> None:
        with anyio.move_on_after(BULK_WAITS_SECONDS):
            # A limiter tells nobody.
            while not (self._slots.available_tokens and self._bulk.available_tokens):  # noqa: ASYNC110
                await anyio.sleep(LOOK_AGAIN_SECONDS)
            return
        raise NoSlotFree

    async def _warm_now_and_then(self) -> None:
        while True:
            await anyio.sleep(WARM_AGAIN_SECONDS)
            async with self._slots:
                await self._refill()

    async def _refill(self) -> None:
        """Have a warm process for every slot that is not busy; the caller holds one of them.

        As many calls at once as there should be idle processes: each takes one that is there, or
        starts one that is not.
        """
        busy = self._slots.borrowed_tokens + self._bulk.borrowed_tokens - 1
        async with anyio.create_task_group() as tasks:
            for _ in range(self._size - busy):
                tasks.start_soon(self._prepare_one_or_leave_it)

    async def _prepare_one_or_leave_it(self) -> None:
        try:
            await self._prepare_one()
        except (BrokenWorkerProcess, TimeoutError) as error:
            # The next picture starts its own, or meets the same trouble and says so.
            _log.warning("image_process_not_started", error=str(error))

    async def _prepare_one(self) -> None:
        with anyio.fail_after(START_WITHIN_SECONDS):
            await to_process.run_sync(
                renderer.prepare, self._limits, cancellable=True, limiter=self._processes
            )


class BulkRenderer:
    """The pool as those see it who have time."""

    def __init__(self, pool: RenderPool) -> None:
        self._pool = pool

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        """See `RenderPool.render_in_bulk`."""
        return await self._pool.render_in_bulk(content, content_type=content_type)
