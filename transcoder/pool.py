"""The pool: image processes that outlive anything a picture can do to one of them.

Every process is warm before it is given a picture, so that its start is never part of a deadline;
one that died or hung is replaced at once, and only its own picture is the worse for it.
"""

from typing import Final

import anyio
from anyio import BrokenWorkerProcess, CapacityLimiter, to_process

from domain.formats import ContentType
from transcoder import renderer
from transcoder.errors import RendererCrashed, RenderTimedOut
from transcoder.rendering import Limits, Rendering

# The process checks its own deadline between steps; this much later it is killed from outside.
KILL_AFTER_SECONDS: Final = 2.0
START_WITHIN_SECONDS: Final = 30.0


class RenderPool:
    """Up to `size` pictures at a time, each in a process of its own."""

    def __init__(self, *, size: int, limits: Limits) -> None:
        self._size = size
        self._limits = limits
        self._slots = CapacityLimiter(size)
        # Our own slots are held while a process is replaced; anyio's limiter never waits.
        self._processes = CapacityLimiter(size)

    async def warm(self) -> None:
        """Start all processes, side by side.

        Raises:
            TimeoutError, BrokenWorkerProcess: they cannot be started on this machine.
        """
        async with anyio.create_task_group() as tasks:
            for _ in range(self._size):
                tasks.start_soon(self._start_process)

    async def render(self, content: bytes, *, content_type: ContentType) -> Rendering:
        """All variants of one original; waits for a free process first.

        Raises:
            PermanentFailure: the original is not one that we can or will render.
            RendererCrashed, RenderTimedOut, OutOfMemory: it broke its process.
        """
        limits = self._limits
        async with self._slots:
            try:
                with anyio.fail_after(limits.deadline_seconds + KILL_AFTER_SECONDS):
                    return await to_process.run_sync(
                        renderer.render,
                        content,
                        content_type,
                        limits,
                        cancellable=True,
                        limiter=self._processes,
                    )
            except TimeoutError as error:
                await self._start_process()
                raise RenderTimedOut(seconds=limits.deadline_seconds) from error
            except BrokenWorkerProcess as error:
                await self._start_process()
                raise RendererCrashed from error

    async def _start_process(self) -> None:
        with anyio.fail_after(START_WITHIN_SECONDS):
            await to_process.run_sync(
                renderer.prepare, self._limits, cancellable=True, limiter=self._processes
            )
